package import MigrationCore

/// What travels between the two ends of one pass of a volume.
///
///     0      1               5
///     +------+---------------+---------------------+
///     | kind | length: u32   | payload             |     big-endian
///     +------+---------------+---------------------+
///
/// | kind | payload |
/// |---|---|
/// | 1 distrust | paths to compare by content, each ended by a null byte; only before data |
/// | 2 data | what one rsync says to the other |
/// | 3 end | empty: this end's rsync is done and content |
/// | 4 failed | code, message, cause, each ended by a null byte |
/// | 5 note | JSON that one end of a method says to the other; only before data |
///
/// Each end says 3 or 4 once, as its last. The version belongs to `StreamHello`.
package enum SessionFrame: Equatable {
    case distrust([[UInt8]])
    case data([UInt8])
    case end
    case failed(GodwitError)
    case note([UInt8])

    static let headerSize = 5
    /// So that a frame and its header fit into one turn of the stream.
    static let largestPayload = Int(Limit.frame.bytes) - headerSize

    package var encoded: [UInt8] {
        let (kind, payload): (UInt8, [UInt8]) =
            switch self {
            case .distrust(let paths): (1, Array(paths.joined(separator: [0])) + [0])
            case .data(let bytes): (2, bytes)
            case .end: (3, [])
            case .failed(let error): (4, Self.encode(error))
            case .note(let bytes): (5, bytes)
            }
        precondition(payload.count <= Self.largestPayload, "a frame of \(payload.count) bytes")
        let count = UInt32(payload.count)
        let length = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> UInt32($0)) }
        return [kind] + length + payload
    }

    init(kind: UInt8, payload: [UInt8]) throws {
        switch kind {
        case 1: self = .distrust(payload.split(separator: 0).map(Array.init))
        case 2: self = .data(payload)
        case 3: self = .end
        case 4: self = .failed(Self.decodeError(payload))
        case 5 where payload.count <= Int(Limit.passNote.bytes): self = .note(payload)
        default: throw SessionFrame.nonsense("a frame of kind \(kind)")
        }
    }

    static func nonsense(_ what: String) -> GodwitError {
        GodwitError(
            .protocolViolation, "the other host sent \(what) while a volume was travelling",
            remedy: "run the same version of godwit on both hosts")
    }

    private static func encode(_ error: GodwitError) -> [UInt8] {
        let parts = [error.code.rawValue, error.message, error.cause ?? ""]
        return parts.flatMap { Array($0.utf8.prefix(4_096)).filter { $0 != 0 } + [0] }
    }

    private static func decodeError(_ payload: [UInt8]) -> GodwitError {
        let parts = payload.split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0.prefix(4_096), as: UTF8.self) }
        let code = parts.first.flatMap(GodwitError.Code.init(rawValue:)) ?? .toolFailed
        let message = parts.count > 1 && !parts[1].isEmpty ? parts[1] : "it did not say why"
        let cause = parts.count > 2 && !parts[2].isEmpty ? parts[2] : nil
        return GodwitError(
            code, "the other host: \(message)",
            remedy: "see the cause, and look at the log of the other host", cause: cause)
    }
}

/// Cuts a stream into frames.
package struct SessionFrameReader: Sendable {
    private let stream: any ByteStream
    private var buffer: [UInt8] = []
    private var start = 0

    package init(_ stream: any ByteStream) { self.stream = stream }

    /// - Throws: `linkLost` if the stream ends, `protocolViolation` on nonsense.
    package mutating func next() async throws -> SessionFrame {
        let header = try await take(SessionFrame.headerSize)
        let length = header.dropFirst().reduce(0) { $0 << 8 | Int($1) }
        guard length <= SessionFrame.largestPayload else {
            throw SessionFrame.nonsense("a frame of \(length) bytes")
        }
        return try SessionFrame(kind: header[0], payload: try await take(length))
    }

    private mutating func take(_ count: Int) async throws -> [UInt8] {
        while buffer.count - start < count {
            guard let more = try await stream.read() else {
                throw GodwitError(
                    .linkLost, "the other host ended the connection while a volume was travelling",
                    remedy: "see why in its log, and move the instance again")
            }
            if start > 0 {
                buffer.removeFirst(start)
                start = 0
            }
            buffer += more
        }
        defer { start += count }
        return Array(buffer[start..<start + count])
    }
}
