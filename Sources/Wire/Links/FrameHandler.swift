import MigrationCore
import NIOCore

/// The last handler of a peer's connection: cuts bytes into frames and hands them to the link.
final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let link: FrameLink
    private var decoder: FrameDecoder
    private var role: LinkRole
    private var cause: (any Error)?
    private var isBroken: Bool
    private var beats: RepeatedTask?

    init(_ link: FrameLink, role: LinkRole) {
        self.link = link
        self.role = role
        decoder = FrameDecoder(rules: role.opening)
        isBroken = role.isDeaf
    }

    /// Installs the handler and asks for the first bytes; on the event loop.
    static func install(_ link: FrameLink, role: LinkRole) throws {
        let channel = link.channel
        channel.eventLoop.preconditionInEventLoop()
        guard channel.isActive else { throw ChannelError.ioOnClosedChannel }
        if let options = channel.syncOptions {
            try options.setOption(.autoRead, value: false)
            try options.setOption(.maxMessagesPerRead, value: 1)
        }
        try channel.pipeline.syncOperations.addHandler(FrameHandler(link, role: role))
        link.demand()
    }

    /// Lets a listener's connection leave the hello behind; on the event loop.
    static func become(_ role: LinkRole, on channel: any Channel) throws {
        let handler = try channel.pipeline.syncOperations.handler(type: FrameHandler.self)
        precondition(handler.role == .listening, "a connection takes one role")
        handler.role = role
        handler.enter(channel)
    }

    /// Both have said hello: the conversation begins, and the watch over it.
    private func enter(_ channel: any Channel) {
        decoder.rules = role.rules
        guard role.isControl || role.isStream else { return }
        if role.isStream, let options = channel.syncOptions {
            // Measured: 256 KiB a read is half again as fast as NIO's adaptive 64 KiB.
            let allocator = FixedSizeRecvByteBufferAllocator(capacity: 256 << 10)
            try? options.setOption(.recvAllocator, value: allocator)
        }
        for (option, value) in FrameLink.socketOptions {
            channel.setOption(option, value: value).whenFailure { [link] in link.lose($0) }
        }
        let (link, beat, isControl) = (link, link.timing.beat, role.isControl)
        beats = channel.eventLoop.scheduleRepeatedTask(initialDelay: beat, delay: beat) { _ in
            link.beat(isControl: isControl)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { beats?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard !isBroken else { return }
        do {
            while let frame = try decoder.next(from: &bytes) {
                if frame.kind == .hello { enter(context.channel) }
                link.heard(frame, isControl: role.isControl)
            }
        } catch {
            isBroken = true
            link.fail(error, telling: error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { link.readCompleted() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        cause = cause ?? error
        link.lose(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        beats?.cancel()
        link.lose(cause.map { "\($0)" } ?? "the peer closed it before its end")
    }
}
