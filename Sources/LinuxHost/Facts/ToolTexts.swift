import Foundation
package import MigrationCore

/// What tools say about themselves, read into facts. Every function is pure and takes any text.
package enum ToolTexts {
    /// `Version: 4.2.1`, possibly with a `GitID:` line after it.
    package static func criuVersion(_ text: String) -> Version? {
        text.split(separator: "\n").lazy
            .compactMap { value(of: "Version:", in: $0) }
            .first.flatMap { Version(parsing: $0) }
    }

    /// `runc version 1.1.5+ds1`, `crun version 1.21`.
    package static func runtimeVersion(_ text: String) -> Version? {
        let words = text.prefix { $0 != "\n" }.split(separator: " ")
        guard let index = words.firstIndex(of: "version"), index + 1 < words.count else {
            return nil
        }
        return Version(parsing: words[index + 1])
    }

    /// `btrfs-progs v6.2`, possibly with more lines.
    package static func btrfsVersion(_ text: String) -> Version? {
        text.split(separator: "\n").lazy
            .compactMap { value(of: "btrfs-progs v", in: $0) }
            .first.flatMap { Version(parsing: $0) }
    }

    /// `zfs-2.1.11-1`, possibly with a line of the kernel's module after it.
    package static func zfsVersion(_ text: String) -> Version? {
        text.split(separator: "\n").lazy
            .compactMap { value(of: "zfs-", in: $0) }
            .first.flatMap { Version(parsing: $0) }
    }

    /// `  LVM version:     2.03.16(2) (2022-05-18)`, with more lines.
    package static func lvmVersion(_ text: String) -> Version? {
        text.split(separator: "\n").lazy
            .compactMap { value(of: "LVM version:", in: $0.drop { $0 == " " }) }
            .first.flatMap { Version(parsing: $0) }
    }

    /// Whether the document of `runc features` or `crun features` promises checkpoints.
    package static func canCheckpoint(features document: String) -> Bool {
        struct Document: Decodable { let annotations: [String: String]? }
        let data = Data(document.utf8)
        guard let read = try? JSONDecoder().decode(Document.self, from: data) else { return false }
        return ["org.opencontainers.runc.checkpoint.enabled", "run.oci.crun.checkpoint.enabled"]
            .contains { read.annotations?[$0] == "true" }
    }

    /// `rsync  version 3.5.0  protocol version 32` and the words under `Capabilities:`, of which
    /// those that begin with `no ` are left out.
    package static func rsync(_ text: String) -> (version: Version, features: Set<String>)? {
        let lines = text.split(separator: "\n")
        guard let first = lines.first, let version = runtimeVersion(String(first)) else {
            return nil
        }
        let rest = lines.drop { !$0.hasPrefix("Capabilities:") }.dropFirst()
        let words = rest.prefix { $0.hasPrefix(" ") }.flatMap { $0.split(separator: ",") }
            .map { $0.trimmingCharacters(in: .whitespaces) }
        return (version, Set(words.filter { !$0.isEmpty && !$0.hasPrefix("no ") }))
    }
}

/// What follows the word at the start of a line, without blanks around it.
func value(of word: String, in line: some StringProtocol) -> String? {
    guard line.hasPrefix(word) else { return nil }
    return line.dropFirst(word.count).trimmingCharacters(in: .whitespaces)
}
