/// What is mounted at a path (proc_pid_mountinfo(5)).
package struct MountedFilesystem: Equatable, Sendable {
    /// Such as `btrfs`.
    package let type: String
    /// Such as `/dev/loop3`.
    package let device: String

    /// Nil if nothing is; of several, the one that is seen.
    package static func at(_ path: String) throws -> MountedFilesystem? {
        at(path, mounts: try SmallFile.text("/proc/self/mountinfo"))
    }

    /// - Parameter mounts: the text of /proc/self/mountinfo.
    package static func at(_ path: String, mounts: String) -> MountedFilesystem? {
        mounts.split(separator: "\n").lazy.compactMap { line -> MountedFilesystem? in
            let words = line.split(separator: " ")
            guard words.count >= 10, unescaped(words[4]) == path,
                let dash = words.dropFirst(6).firstIndex(of: "-"), dash + 2 < words.count
            else { return nil }
            return MountedFilesystem(
                type: String(words[dash + 1]), device: unescaped(words[dash + 2]))
        }.last
    }

    /// Where something is mounted below the directory, the latest first.
    package static func points(below directory: String) throws -> [String] {
        try SmallFile.text("/proc/self/mountinfo").split(separator: "\n")
            .compactMap { line -> String? in
                let words = line.split(separator: " ")
                guard words.count >= 10 else { return nil }
                let point = unescaped(words[4])
                return point.hasPrefix(directory + "/") ? point : nil
            }
            .reversed()
    }

    /// The kernel writes blanks and backslashes as three octal digits.
    private static func unescaped(_ word: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(word.utf8)[...]
        while let first = rest.first {
            let digits = rest.dropFirst().prefix(3)
            let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            let isEscape = first == 0x5c && digits.count == 3
            bytes.append(isEscape ? code ?? first : first)
            rest = rest.dropFirst(isEscape && code != nil ? 4 : 1)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
