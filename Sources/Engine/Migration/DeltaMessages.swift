import MigrationCore

/// What stands on a stream before a delta, if there is one: one byte, answered by the same, so that
/// none of the delta has been read when the target knows of it.
enum DeltaMessages {
    private static let follows: UInt8 = 1

    static func announce(on stream: any ByteStream) async throws {
        try await stream.write([follows])
        guard try await stream.read() == [follows] else { throw nonsense }
    }

    /// - Returns: whether a delta follows.
    static func isAnnounced(on stream: any ByteStream) async throws -> Bool {
        guard let word = try await stream.read() else { return false }
        guard word == [follows] else { throw nonsense }
        try await stream.write([follows])
        return true
    }

    private static let nonsense = GodwitError(
        .protocolViolation, "the peer did not say that a delta follows")
}
