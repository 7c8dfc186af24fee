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
        /// Whether it can read blocks as they are on disk, and keep what has come of a stream that
        /// breaks.
        var isCompressed: Bool
        /// What has come of one that broke; its source knows what it means.
        var token: String?
    }

    struct FromSource: Codable, Equatable {
        /// The snapshot that is sent.
        struct Snapshot: Codable, Equatable {
            /// After the `@`.
            var name: String
            var guid: String
            /// The guid of the one that the stream builds upon; nil if it has everything.
            var base: String?
            /// Whether the stream is the rest of what the target's token tells of.
            var isResumed: Bool?
        }

        /// Nil: rsync follows.
        var snapshot: Snapshot?
    }

    static func readFromTarget(_ frames: inout SessionFrameReader) async throws -> FromTarget {
        let note: FromTarget = try await SessionNote.read(&frames)
        guard note.newest.map(isGUID) ?? true, note.token.map(isToken) ?? true else {
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

    /// Whether it may be one (zfs-send(8)), and not the dash of a dataset without.
    static func isToken(_ text: String) -> Bool {
        let isHex: (UInt8) -> Bool = {
            (0x30...0x39).contains($0) || (0x61...0x66).contains($0)
        }
        return (2...Limit.resumeToken).contains(text.utf8.count)
            && text.utf8.allSatisfy { isHex($0) || $0 == 0x2d } && text.utf8.first != 0x2d
    }

    /// A number of 64 bits.
    private static func isGUID(_ text: String) -> Bool {
        UInt64(text) != nil && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
