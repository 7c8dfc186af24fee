import Foundation

/// The text of a file of /proc or /sys; nil if there is none, or it cannot be read or is too long.
func smallFile(_ path: String) -> String? { try? SmallFile.text(path) }

/// The one word or number that a file of /proc/sys or /sys holds.
func smallWord(_ path: String) -> String? { SmallFile.word(path) }

/// The names in a directory; none if it cannot be read.
func names(in directory: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
}

func link(_ path: String) -> String? {
    try? FileManager.default.destinationOfSymbolicLink(atPath: path)
}

/// What stat(2) says of what the path leads to; nil if it leads nowhere.
func status(_ path: String) -> stat? {
    var result = stat()
    return unsafe stat(path, &result) == 0 ? result : nil
}

/// What access(2) says: `F_OK` for whether there is such a path.
func allows(_ mode: Int32, _ path: String) -> Bool { unsafe access(path, mode) == 0 }
