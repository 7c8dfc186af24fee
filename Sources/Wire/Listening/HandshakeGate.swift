import MigrationCore
import NIOCore
import NIOSSL
import NIOTLS
import Synchronization

/// How far a fresh connection has come; shared between its gate and whoever waits for it.
final class Handshake: Sendable {
    /// The application protocol that was agreed on, nil if none was offered.
    let completed: EventLoopFuture<String?>
    private let promise: EventLoopPromise<String?>
    private let settling = Mutex<(@Sendable () -> Void)?>(nil)

    init(on loop: any EventLoop) {
        promise = loop.makePromise(of: String?.self)
        completed = promise.futureResult
    }

    func complete(_ result: Result<String?, any Error>) { promise.completeWith(result) }

    /// Registers what is to happen once, when the connection is admitted or gone.
    func whenSettled(_ body: @escaping @Sendable () -> Void) { settling.withLock { $0 = body } }

    func settle() {
        let body = settling.withLock { settling in
            defer { settling = nil }
            return settling
        }
        body?()
    }
}

/// Stands behind TLS: tells when the handshake is over, and keeps what comes early.
///
/// After the handshake the socket is read only on demand, and what TLS had already decrypted waits
/// here until a handler behind asks for it.
final class HandshakeGate: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer

    let handshake: Handshake
    private var isComplete = false
    private var isOpen = false
    private var held: ByteBuffer?
    private var cause: (any Error)?

    init(_ handshake: Handshake) { self.handshake = handshake }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted(let negotiated) = event, !isComplete {
            isComplete = true
            try? context.channel.syncOptions?.setOption(.autoRead, value: false)
            handshake.complete(.success(negotiated))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isOpen { return context.fireChannelRead(data) }
        var bytes = unwrapInboundIn(data)
        if held == nil { held = bytes } else { held?.writeBuffer(&bytes) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isOpen { context.fireChannelReadComplete() }
    }

    func read(context: ChannelHandlerContext) {
        guard isComplete, !isOpen else { return context.read() }
        isOpen = true
        guard let early = held else { return context.read() }
        held = nil
        context.fireChannelRead(wrapInboundOut(early))
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        cause = cause ?? error
        handshake.complete(.failure(error))
        context.fireErrorCaught(error)
        if !isComplete { hangUp(context.channel) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        handshake.complete(.failure(cause ?? ChannelError.eof))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        handshake.complete(.failure(cause ?? ChannelError.eof))
    }
}
