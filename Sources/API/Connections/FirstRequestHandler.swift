import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import MigrationCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket

typealias HTTPChannel = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

/// What a connection turned out to be when its first request's head was there.
enum FirstRequest: Sendable {
    case http(HTTPChannel)
    /// A websocket is wanted; nothing has been answered.
    case upgrade(HTTPRequestHead)
}

/// Decides with a connection's first request whether it becomes a websocket.
///
/// NIO's own upgrade handler is not used: it drops the head of a request whose upgrade is refused,
/// so that the client gets no answer (swift-nio issue 2632). Any other `Upgrade` (curl's h2c) is
/// taken out of the request, which then is the connection's last, because NIO's decoder stops after
/// it.
final class FirstRequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State { case waiting, http, upgrading, failed }

    private var state = State.waiting
    private var timer: Scheduled<Void>?
    private let encoder = HTTPResponseEncoder()
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let first: EventLoopPromise<FirstRequest>
    private let logger: Logger
    private let idleTimeout: TimeAmount

    /// - Parameter idleTimeout: how long a connection may be silent between requests, and inside
    /// one.
    init(first: EventLoopPromise<FirstRequest>, idleTimeout: TimeAmount, logger: Logger) {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 << 10
        limits.maxHeaderListSize = 32 << 10
        limits.maxHeaderFieldCount = 64
        decoder = ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
        self.first = first
        self.idleTimeout = idleTimeout
        self.logger = logger
    }

    /// Adds the HTTP handlers and this one; on the event loop.
    func install(on channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandlers([encoder, decoder, self])
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: idleTimeout) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        first.fail(ChannelError.eof)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        first.fail(ChannelError.eof)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (state, unwrapInboundIn(data)) {
        case (.waiting, .head(let head)): begin(head, context: context)
        case (.http, .head(let head)):
            context.fireChannelRead(wrapInboundOut(.head(withoutUpgrade(head))))
        case (.http, _): context.fireChannelRead(data)
        // The rest of an upgrade's request, or what follows an error.
        case (.waiting, _), (.upgrading, _), (.failed, _): break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent where state == .waiting: context.close(promise: nil)
        case ChannelEvent.inputClosed where state == .waiting: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard state == .waiting, error is HTTPParserError || error is NIOHTTPDecoderError else {
            return context.fireErrorCaught(error)
        }
        state = .failed
        answer(garbageRefusal(error), context.channel)
    }

    private func begin(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        timer?.cancel()
        if wantsWebSocket(head) {
            state = .upgrading
            return first.succeed(.upgrade(head))
        }
        do {
            let channel = try becomeHTTP(context.channel)
            state = .http
            first.succeed(.http(channel))
            context.fireChannelRead(wrapInboundOut(.head(withoutUpgrade(head))))
        } catch {
            first.fail(error)
            context.close(promise: nil)
        }
    }

    private func becomeHTTP(_ channel: any Channel) throws -> HTTPChannel {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        let idle = Duration.nanoseconds(idleTimeout.nanoseconds)
        try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: idle, logger: logger))
        return try HTTPChannel(
            wrappingChannelSynchronously: channel,
            configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    /// Answers an upgrade with an error and closes.
    func refuse(_ error: GodwitError, on channel: any Channel) {
        channel.eventLoop.preconditionInEventLoop()
        precondition(state == .upgrading)
        answer(error, channel)
    }

    private func answer(_ error: GodwitError, _ channel: any Channel) {
        let body = errorBody(error)
        let head = HTTPResponseHead(
            version: .http1_1, status: .init(statusCode: error.code.httpStatus),
            headers: [
                "content-type": "application/json", "content-length": "\(body.count)",
                "connection": "close",
            ])
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(
            HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil))
            .whenComplete { _ in channel.close(promise: nil) }
    }

    /// Answers 101 and turns the pipeline into a websocket's.
    func accept(_ head: HTTPRequestHead, on channel: any Channel) -> EventLoopFuture<
        WebSocketChannel
    > {
        channel.eventLoop.preconditionInEventLoop()
        precondition(state == .upgrading)
        let upgrader = NIOTypedWebSocketServerUpgrader<WebSocketChannel>(
            maxFrameSize: webSocketFrameLimit,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture { try WebSocketChannel.wrap(channel) }
            })
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        return upgrader.buildUpgradeResponse(
            channel: channel, upgradeRequest: head, initialResponseHeaders: [:]
        ).flatMap { headers in
            let head = HTTPResponseHead(
                version: .http1_1, status: .switchingProtocols, headers: headers)
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            return channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        }.flatMap {
            channel.pipeline.syncOperations.removeHandler(bound.value.encoder)
        }.flatMap {
            upgrader.upgrade(channel: channel, upgradeRequest: head)
        }.flatMap { socket in
            // The decoder goes last: what it has read beyond the request is then for the websocket.
            channel.pipeline.syncOperations.removeHandler(bound.value)
                .flatMap { channel.pipeline.syncOperations.removeHandler(bound.value.decoder) }
                .map { socket }
        }
    }
}

private func wantsWebSocket(_ head: HTTPRequestHead) -> Bool {
    head.method == .GET
        && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
}

private func withoutUpgrade(_ head: HTTPRequestHead) -> HTTPRequestHead {
    guard head.headers.contains(name: "upgrade") else { return head }
    var head = head
    head.headers.remove(name: "upgrade")
    head.headers.replaceOrAdd(name: "connection", value: "close")
    return head
}

private func garbageRefusal(_ error: any Error) -> GodwitError {
    GodwitError(
        .badRequest, "the bytes on this connection are not an HTTP/1.1 request",
        remedy: "speak HTTP/1.1 to it", cause: "\(error)")
}

/// An error answer's body; a value of our own always has an encoding.
func errorBody(_ error: GodwitError) -> [UInt8] {
    (try? JSON.encode(Envelope.failure(error, httpStatus: error.code.httpStatus))) ?? []
}
