import LinuxHost
import MigrationCore

/// What the two ends of a pass by btrfs say to each other before data, as JSON in one frame.
///
///     first pass    target: FromTarget    source: FromSource, then the stream
///     delta                               source: FromSource, then the stream
enum PassNote {
    struct FromTarget: Codable, Equatable {
        /// The newest version of the stream that it can read.
        var streams: Int
        /// The origins of snapshots that it has of the volume.
        var snapshots: [String]
    }

    struct FromSource: Codable, Equatable {
        /// What the snapshot is called while it travels.
        var name: String
        /// The snapshot's origin, and the one that the stream builds upon.
        var uuid: String
        var parent: String?
        /// When the root was changed: a stream's temporary names lie in the root.
        var seconds: Int64
        var nanoseconds: Int64

        var modified: FileTime { FileTime(seconds: seconds, nanoseconds: nanoseconds) }
    }

    static func readFromTarget(_ frames: inout SessionFrameReader) async throws -> FromTarget {
        let note: FromTarget = try await SessionNote.read(&frames)
        guard note.snapshots.count <= Limit.snapshotsPerVolume,
            note.snapshots.allSatisfy(isUUID)
        else { throw SessionFrame.nonsense("snapshots that cannot be") }
        return note
    }

    static func readFromSource(_ frames: inout SessionFrameReader) async throws -> FromSource {
        let note: FromSource = try await SessionNote.read(&frames)
        guard isName(note.name), isUUID(note.uuid), note.parent.map(isUUID) ?? true,
            (0..<1_000_000_000).contains(note.nanoseconds)
        else { throw SessionFrame.nonsense("a snapshot that cannot be") }
        return note
    }

    static let prefix = "pass-"
    /// Of what is kept for the next move.
    static let basePrefix = "base-"

    static func newName() -> String { prefix + randomDigits() }

    static func isName(_ text: String) -> Bool {
        text.hasPrefix(prefix) && text.utf8.count == prefix.utf8.count + 16
            && isHexadecimal(text.dropFirst(prefix.count))
    }

    private static func isUUID(_ text: String) -> Bool {
        text.utf8.count == 32 && isHexadecimal(text[...])
    }

    private static func isHexadecimal(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
