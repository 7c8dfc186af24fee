import Foundation
import MigrationCore

/// What the target has of a volume before anything of it travels: its half speaks first, the
/// source answers which of the snapshots are as its own.
enum HeldMessages {
    struct Held: Codable, Equatable {
        /// Whether the volume holds anything.
        var isBegun = false
        /// The digest of its tree, if that is known.
        var tree: String?
        /// Digests of its snapshots by name, and of the states of those that have one.
        var snapshots: [String: String] = [:]
        var states: [String: String] = [:]

        init(_ start: VolumeStart = .empty) {
            isBegun = start != .empty
            if case .tree(let digest) = start { tree = digest }
        }

        var start: VolumeStart {
            guard isBegun else { return .empty }
            return tree.map { .tree($0) } ?? .unknown
        }
    }

    /// Names of snapshots and of states that do not travel.
    struct Same: Codable, Equatable {
        var snapshots: Set<String> = []
        var states: Set<String> = []
    }

    /// Ends no half of the stream: the source ends its own once it has answered, and waits for the
    /// target's end then.
    ///
    /// - Returns: what the source has, too.
    static func tell(_ held: Held, on stream: any ByteStream) async throws -> Same {
        let word = try JSONEncoder().encode(held)
        let length = (0..<4).map { UInt8(truncatingIfNeeded: word.count >> (8 * $0)) }
        try await stream.write((length + Array(word))[...])
        var bytes: [UInt8] = []
        while let next = try await stream.read() {
            bytes += next
            guard bytes.count <= Int(Limit.passNote.bytes) else { throw nonsense }
        }
        return try decode(Same.self, bytes)
    }

    static func hear(on stream: any ByteStream) async throws -> Held {
        var bytes: [UInt8] = []
        while bytes.count < 4 || bytes.count < 4 + length(of: bytes) {
            guard let next = try await stream.read() else { throw nonsense }
            bytes += next
            guard bytes.count <= Int(Limit.passNote.bytes) else { throw nonsense }
        }
        let held = try decode(Held.self, Array(bytes.dropFirst(4)))
        guard held.snapshots.count <= Limit.snapshotsPerVolume else { throw nonsense }
        return held
    }

    static func answer(_ same: Same, on stream: any ByteStream) async throws {
        try await stream.write(Array(try JSONEncoder().encode(same))[...])
        try await stream.finish()
    }

    /// Little-endian.
    private static func length(of bytes: [UInt8]) -> Int {
        bytes.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    private static func decode<Word: Decodable>(
        _ type: Word.Type, _ bytes: [UInt8]
    ) throws -> Word {
        guard let word = try? JSONDecoder().decode(type, from: Data(bytes)) else { throw nonsense }
        return word
    }

    private static let nonsense = GodwitError(
        .protocolViolation, "the peer did not say what it has of the volume",
        remedy: "run the same version of godwit on both hosts")
}
