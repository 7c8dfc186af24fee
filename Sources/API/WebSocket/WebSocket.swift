import NIOCore
import NIOWebSocket
import Synchronization

typealias WebSocketChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

/// One message of a websocket conversation.
package enum WebSocketMessage: Equatable, Sendable {
    case text(String)
    case binary([UInt8])
}

/// The messages of the peer. Answers pings and the peer's close by itself; ends with the
/// connection.
struct WebSocketReader: AsyncSequence, Sendable {
    let inbound: NIOAsyncChannelInboundStream<WebSocketFrame>
    let writer: WebSocketWriter

    struct AsyncIterator: AsyncIteratorProtocol {
        var frames: NIOAsyncChannelInboundStream<WebSocketFrame>.AsyncIterator
        let writer: WebSocketWriter

        mutating func next() async throws -> WebSocketMessage? {
            try await next(isolation: #isolation)
        }

        mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws -> WebSocketMessage? {
            while let frame = try await frames.next(isolation: actor) {
                let data = frame.unmaskedData
                switch frame.opcode {
                case .text: return .text(String(buffer: data))
                case .binary: return .binary(Array(buffer: data))
                case .ping: try await writer.pong(data)
                case .connectionClose:
                    // The peer may be gone before our answer is.
                    try? await writer.close()
                    return nil
                default: continue
                }
            }
            return nil
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(frames: inbound.makeAsyncIterator(), writer: writer)
    }
}

/// Sends messages; returns when the connection can take more.
final class WebSocketWriter: Sendable {
    private let outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>
    /// Clients mask what they send (RFC 6455, section 5.3), servers must not.
    private let masks: Bool
    private let hasClosed = Atomic(false)

    init(outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>, masks: Bool) {
        self.outbound = outbound
        self.masks = masks
    }

    func send(text: String) async throws { try await send(.text, ByteBuffer(string: text)) }

    /// In several messages where the bytes are more than one frame may hold.
    func send(bytes: [UInt8]) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            try await send(.binary, ByteBuffer(bytes: rest.prefix(webSocketChunk)))
            rest = rest.dropFirst(webSocketChunk)
        }
    }

    func pong(_ data: ByteBuffer) async throws { try await send(.pong, data) }

    /// Says a normal close (1000), once; nothing may follow.
    func close() async throws {
        guard !hasClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        try await send(.connectionClose, ByteBuffer(bytes: [0x03, 0xe8]))
    }

    private func send(_ opcode: WebSocketOpcode, _ data: ByteBuffer) async throws {
        let key = masks ? WebSocketMaskingKey.random() : nil
        try await outbound.write(
            WebSocketFrame(fin: true, opcode: opcode, maskKey: key, data: data))
    }
}

/// The largest frame that is taken.
let webSocketFrameLimit = 1 << 18
private let webSocketChunk = 1 << 16

extension WebSocketChannel {
    /// Puts what follows the frame decoder in place, on the event loop.
    static func wrap(_ channel: any Channel) throws -> WebSocketChannel {
        try channel.pipeline.syncOperations.addHandler(
            NIOWebSocketFrameAggregator(
                minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 64,
                maxAccumulatedFrameSize: webSocketFrameLimit))
        return try WebSocketChannel(wrappingChannelSynchronously: channel)
    }

    /// Holds the conversation for as long as `body` runs, then closes: our close frame is on its
    /// way before the connection ends.
    func converse(
        masks: Bool,
        _ body: @escaping @Sendable (WebSocketReader, WebSocketWriter) async throws -> Void
    ) async throws {
        try await executeThenClose { inbound, outbound in
            let writer = WebSocketWriter(outbound: outbound, masks: masks)
            let reader = WebSocketReader(inbound: inbound, writer: writer)
            try await body(reader, writer)
            try? await writer.close()
        }
    }
}
