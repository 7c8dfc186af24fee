import Foundation
import MigrationCore

/// The text of a file of /proc, /sys or ours, at most `Limit.smallFile` of it; nil if there is none or
/// it cannot be read.
func smallFile(_ path: String) -> String? {
    guard let file = try? Descriptor.open(path, O_RDONLY) else { return nil }
    var bytes: [UInt8] = []
    while bytes.count < Int(Limit.smallFile.bytes) {
        guard let more = try? file.read(upTo: 65_536) else { return nil }
        if more.isEmpty { break }
        bytes += more
    }
    return String(decoding: bytes.prefix(Int(Limit.smallFile.bytes)), as: UTF8.self)
}

/// The one word or number that a file of /proc/sys or /sys holds.
func smallWord(_ path: String) -> String? {
    smallFile(path)?.trimmingCharacters(in: .whitespacesAndNewlines)
}

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
