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

    /// - Returns: what the source has, too.
    static func tell(_ held: Held, on stream: any ByteStream) async throws -> Same {
        try await write(held, to: stream)
        return try await read(Same.self, from: stream)
    }

    static func hear(on stream: any ByteStream) async throws -> Held {
        let held = try await read(Held.self, from: stream)
        guard held.snapshots.count <= Limit.snapshotsPerVolume else { throw nonsense }
        return held
    }

    static func answer(_ same: Same, on stream: any ByteStream) async throws {
        try await write(same, to: stream)
    }

    private static func write(_ word: some Encodable, to stream: any ByteStream) async throws {
        try await stream.write(Array(try JSONEncoder().encode(word))[...])
        try await stream.finish()
    }

    private static func read<Word: Decodable>(
        _ type: Word.Type, from stream: any ByteStream
    ) async throws -> Word {
        var bytes: [UInt8] = []
        while let next = try await stream.read() {
            bytes += next
            guard bytes.count <= Int(Limit.passNote.bytes) else { throw nonsense }
        }
        guard let word = try? JSONDecoder().decode(type, from: Data(bytes)) else { throw nonsense }
        return word
    }

    private static let nonsense = GodwitError(
        .protocolViolation, "the peer did not say what it has of the volume",
        remedy: "run the same version of godwit on both hosts")
}
