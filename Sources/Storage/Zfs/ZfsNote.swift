import LinuxHost
import MigrationCore

/// What the two ends of a first pass by zfs say to each other before data, as JSON in one frame.
///
///     target: FromTarget    source: FromSource, then the stream, or rsync
enum ZfsNote {
    struct FromTarget: Codable, Equatable {
        /// The guid of the volume's newest snapshot.
        var newest: String?
        /// Whether the volume's dataset may be replaced as a whole: it was no kept copy and has no
        /// snapshots that are kept, most of which a stream would bring again.
        var takesWhole: Bool
        /// Whether it can read blocks as they are on disk.
        var isCompressed: Bool
    }

    struct FromSource: Codable, Equatable {
        /// The snapshot that is sent.
        struct Snapshot: Codable, Equatable {
            /// After the `@`.
            var name: String
            var guid: String
            /// The guid of the one that the stream builds upon; nil if it has everything.
            var base: String?
        }

        /// Nil: rsync follows.
        var snapshot: Snapshot?
    }

    static func readFromTarget(_ frames: inout SessionFrameReader) async throws -> FromTarget {
        let note: FromTarget = try await SessionNote.read(&frames)
        guard note.newest.map(isGUID) ?? true else {
            throw SessionFrame.nonsense("a snapshot that cannot be")
        }
        return note
    }

    static func readFromSource(_ frames: inout SessionFrameReader) async throws -> FromSource {
        let note: FromSource = try await SessionNote.read(&frames)
        guard let snapshot = note.snapshot else { return note }
        guard ZfsNames.isPass(snapshot.name), isGUID(snapshot.guid),
            snapshot.base.map(isGUID) ?? true
        else { throw SessionFrame.nonsense("a snapshot that cannot be") }
        return note
    }

    /// A number of 64 bits.
    private static func isGUID(_ text: String) -> Bool {
        UInt64(text) != nil && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
