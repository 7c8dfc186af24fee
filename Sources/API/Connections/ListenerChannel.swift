import Hummingbird
import HummingbirdCore
import Logging
import MigrationCore
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization

/// Takes each connection of one listener from its first byte to its end.
struct ListenerChannel: ServerChildChannel {
    /// Nil on the Unix socket, whose callers are all administrators.
    let remote: RemoteListener?
    let idleTimeout: TimeAmount
    let respond: @Sendable (Request, PeerIdentity?) async -> Response
    let webSockets: WebSocketRoutes
    /// Connections whose handshake or admission is not done.
    let strangers = Counter()

    struct Accepted: ServerChildChannelValue {
        enum Stage: Sendable {
            case open(OpenConnection)
            case guarded(EventLoopFuture<String?>)
        }

        let channel: any Channel
        let stage: Stage
    }

    /// A connection whose first request is awaited.
    struct OpenConnection: Sendable {
        let handler: NIOLoopBound<FirstRequestHandler>
        let first: EventLoopFuture<FirstRequest>
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Accepted> {
        channel.eventLoop.makeCompletedFuture {
            guard let remote else {
                let connection = try open(channel, logger)
                return Accepted(channel: channel, stage: .open(connection))
            }
            try remote.secure(channel)
            let handshaken = channel.eventLoop.makePromise(of: String?.self)
            try channel.pipeline.syncOperations.addHandler(AdmissionGate(handshaken: handshaken))
            return Accepted(channel: channel, stage: .guarded(handshaken.futureResult))
        }
    }

    func handle(value: Accepted, logger: Logger) async {
        do {
            switch value.stage {
            case .open(let connection):
                try await serve(connection, on: value.channel, peer: nil, logger)
            case .guarded(let handshake):
                try await admit(value.channel, handshake, logger)
            }
        } catch {
            logger.debug("connection ended", metadata: ["reason": "\(error)"])
        }
        value.channel.close(promise: nil)
    }

    private func open(_ channel: any Channel, _ logger: Logger) throws -> OpenConnection {
        let first = channel.eventLoop.makePromise(of: FirstRequest.self)
        let handler = FirstRequestHandler(first: first, idleTimeout: idleTimeout, logger: logger)
        try handler.install(on: channel)
        return OpenConnection(
            handler: NIOLoopBound(handler, eventLoop: channel.eventLoop), first: first.futureResult)
    }

    private func admit(
        _ channel: any Channel, _ handshake: EventLoopFuture<String?>, _ logger: Logger
    ) async throws {
        guard let remote else { preconditionFailure("only a remote listener has a handshake") }
        guard let admission = try await admission(channel, handshake, remote) else { return }
        switch admission {
        case .refuse: return
        case .other(let serve): await serve(channel)
        case .http(let peer):
            let connection = try await channel.eventLoop.submit {
                let connection = try open(channel, logger)
                try channel.syncOptions?.setOption(.autoRead, value: true)
                channel.read()
                return connection
            }.get()
            try await serve(connection, on: channel, peer: peer, logger)
        }
    }

    /// Nil where too many strangers are at the door.
    private func admission(
        _ channel: any Channel, _ handshake: EventLoopFuture<String?>, _ remote: RemoteListener
    ) async throws -> RemoteAdmission? {
        guard strangers.increment(limit: Limit.connectionsBeforeHello) else {
            channel.close(promise: nil)
            _ = try? await handshake.get()
            return nil
        }
        defer { strangers.decrement() }
        let protocolName = try await handshake.get()
        return await remote.admit(channel, protocolName)
    }

    private func serve(
        _ connection: OpenConnection, on channel: any Channel, peer: PeerIdentity?,
        _ logger: Logger
    ) async throws {
        switch try await connection.first.get() {
        case .http(let requests):
            await HTTPRequests(respond: respond, peer: peer)
                .handleHTTP(asyncChannel: requests, logger: logger)
        case .upgrade(let head):
            try await upgrade(head, connection, channel)
        }
    }

    private func upgrade(
        _ head: HTTPRequestHead, _ connection: OpenConnection, _ channel: any Channel
    ) async throws {
        do {
            let conversation = try await webSockets.conversation(for: head.uri)
            let socket = try await channel.eventLoop.flatSubmit {
                connection.handler.value.accept(head, on: channel)
            }.get()
            await cancelWhenGracefulShutdown {
                try? await socket.converse(masks: false, conversation)
            }
        } catch let error as GodwitError {
            try await channel.eventLoop.submit {
                connection.handler.value.refuse(error, on: channel)
            }.get()
            try await channel.closeFuture.get()
        }
    }
}

/// Answers the requests of one connection, one after the other.
private struct HTTPRequests: HTTPChannelHandler {
    let respond: @Sendable (Request, PeerIdentity?) async -> Response
    let peer: PeerIdentity?

    var responder: HTTPChannelHandler.Responder {
        { (request: Request, writer: consuming ResponseWriter, _: any Channel) in
            let response = await respond(request, peer)
            try await writer.write(response: response.head, body: response.body)
        }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTPChannel> {
        preconditionFailure("the connection has been set up by ListenerChannel")
    }

    func handle(value: HTTPChannel, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}

/// Counts up to a limit.
final class Counter: Sendable {
    private let value = Atomic(0)

    func increment(limit: Int) -> Bool {
        let count = value.add(1, ordering: .relaxed).newValue
        guard count > limit else { return true }
        decrement()
        return false
    }

    func decrement() {
        let count = value.subtract(1, ordering: .relaxed).newValue
        precondition(count >= 0)
    }
}
