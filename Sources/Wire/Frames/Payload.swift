import Foundation
import MigrationCore
import NIOCore

/// JSON in frames, bounded both ways.
enum Payload {
    static func encode(_ value: some Encodable, limit: ByteCount) throws(GodwitError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            let bytes = try encoder.encode(value)
            guard UInt64(bytes.count) <= limit.bytes else {
                throw GodwitError(
                    .limitExceeded,
                    "a message to the peer has \(bytes.count) bytes, \(limit.bytes) are allowed"
                )
            }
            return Array(bytes)
        } catch let error as GodwitError {
            throw error
        } catch {
            throw GodwitError(.internalFault, "a message cannot be encoded", cause: "\(error)")
        }
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8])
        throws(GodwitError) -> Value
    {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
            throw GodwitError(
                .protocolViolation,
                "the peer's \(type) could not be understood",
                cause: String("\(error)".prefix(500))
            )
        }
    }

    /// An error as it travels: without its details where these would be too long.
    static func encode(failure: GodwitError) -> [UInt8] {
        let short = GodwitError(failure.code, String(failure.message.prefix(1_000)))
        return (try? encode(failure, limit: Limit.failure))
            ?? (try? encode(short, limit: Limit.failure)) ?? []
    }

    static func decode(failure bytes: [UInt8]) -> GodwitError {
        do { return try decode(GodwitError.self, from: bytes) } catch { return error }
    }
}

extension Frame {
    static func bytes(
        _ kind: FrameKind, _ payload: ArraySlice<UInt8>, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: FrameHeader.size + payload.count)
        FrameHeader(kind: kind, payload: UInt64(payload.count)).write(into: &buffer)
        buffer.writeBytes(payload)
        return buffer
    }
}
