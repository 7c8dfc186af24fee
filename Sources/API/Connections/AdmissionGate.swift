import NIOCore
import NIOTLS

/// Stands behind TLS until somebody has decided about the connection: says when the handshake is
/// done, and holds every byte back until the first `read` that comes from behind it.
///
/// The handshake must be done within `deadline`; a peer that has not spoken by then is cut off.
final class AdmissionGate: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State { case handshaking, holding, open }

    private var state = State.handshaking
    private var held: [ByteBuffer] = []
    private var timer: Scheduled<Void>?
    private let handshaken: EventLoopPromise<String?>
    private let deadline: TimeAmount

    init(handshaken: EventLoopPromise<String?>, deadline: TimeAmount = .seconds(10)) {
        self.handshaken = handshaken
        self.deadline = deadline
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: deadline) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        handshaken.fail(ChannelError.eof)
    }

    func channelInactive(context: ChannelHandlerContext) {
        handshaken.fail(ChannelError.eof)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if state == .open {
            context.fireChannelRead(data)
        } else {
            held.append(unwrapInboundIn(data))
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted(let negotiated) where state == .handshaking:
            state = .holding
            timer?.cancel()
            try? context.channel.syncOptions?.setOption(.autoRead, value: false)
            handshaken.succeed(negotiated)
        case is ChannelShouldQuiesceEvent where state != .open:
            context.close(promise: nil)
        case ChannelEvent.inputClosed where state != .open:
            context.close(promise: nil)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        handshaken.fail(error)
        if state == .open { context.fireErrorCaught(error) } else { context.close(promise: nil) }
    }

    func read(context: ChannelHandlerContext) {
        if state == .holding {
            state = .open
            for buffer in held { context.fireChannelRead(wrapInboundOut(buffer)) }
            if !held.isEmpty { context.fireChannelReadComplete() }
            held = []
        }
        context.read()
    }
}
