/// What a process has mapped, read from `/proc/PID/maps`.
package struct MemoryMap: Equatable, Sendable {
    /// As the process sees it; empty for anonymous memory.
    package let path: String
    package let isShared: Bool

    /// Reads one line; nil if it is none of that file's.
    package init?(line: Substring) {
        let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard fields.count >= 5, fields[1].utf8.count == 4 else { return nil }
        isShared = fields[1].hasSuffix("s")
        let rest = fields.count == 6 ? fields[5].drop { $0 == " " } : ""
        path = Self.unescaped(rest)
    }

    /// The file behind the mapping still has this name.
    package var isNamedFile: Bool { path.hasPrefix("/") && !path.hasSuffix(" (deleted)") }

    package static func read(of pid: Int32) throws -> [MemoryMap] {
        try SmallFile.text("/proc/\(pid)/maps").split(separator: "\n").compactMap {
            MemoryMap(line: $0)
        }
    }

    /// The kernel writes a line feed in a name as `\012`, and nothing else so.
    private static func unescaped(_ text: Substring) -> String {
        text.split(separator: "\\012", omittingEmptySubsequences: false).joined(separator: "\n")
    }
}
