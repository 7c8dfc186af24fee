import MigrationCore

/// Messages on the stream for packets: a length of four bytes, little-endian, and so many bytes.
/// The first is empty and says that the instance is frozen.
struct PacketMessages {
    private let stream: any ByteStream
    private var buffer: ArraySlice<UInt8> = []

    init(_ stream: any ByteStream) { self.stream = stream }

    static let frozen = framed([])

    static func framed(_ message: [UInt8]) -> [UInt8] {
        precondition(message.count <= Int(Limit.heldBatch.bytes))
        return (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (8 * $0)) } + message
    }

    /// Nil at the end.
    ///
    /// - Throws: `limitExceeded` for a message that is too long, `linkLost` for half of one.
    mutating func next() async throws -> [UInt8]? {
        guard try await fill(1) else { return nil }
        let size = try await take(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard size <= Int(Limit.heldBatch.bytes) else {
            throw GodwitError(.limitExceeded, "the peer announces a message of \(size) bytes")
        }
        return try await take(size)
    }

    private mutating func take(_ count: Int) async throws -> [UInt8] {
        guard try await fill(count) else {
            throw GodwitError(.linkLost, "the stream for packets ended inside a message")
        }
        let taken = Array(buffer.prefix(count))
        buffer = buffer.dropFirst(count)
        return taken
    }

    /// Whether so many bytes are there before the end.
    private mutating func fill(_ count: Int) async throws -> Bool {
        while buffer.count < count {
            guard let more = try await stream.read() else { return false }
            buffer = Array(buffer)[...] + more
        }
        return true
    }
}
