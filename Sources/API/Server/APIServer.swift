import Foundation
import Hummingbird
import HummingbirdCore
package import Logging
package import MigrationCore
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Offers a host to its clients: on the Unix socket, and to other hosts on one TLS port.
package struct APIServer: Service {
    let control: any HostControl
    let events: EventHub
    let socketPath: String
    let remote: RemoteListener?
    let logger: Logger
    /// How long a connection may be silent between requests, and inside one.
    var idleTimeout = TimeAmount.seconds(60)
    let onReady: @Sendable (Int?) async -> Void

    /// - Parameters:
    ///   - socketPath: made with mode 0660; whoever can open it is the administrator.
    ///   - onReady: called once, when all listeners take connections, with the TLS port (nil
    ///     without).
    package init(
        control: any HostControl,
        events: EventHub,
        socketPath: String,
        remote: RemoteListener? = nil,
        logger: Logger,
        onReady: @escaping @Sendable (Int?) async -> Void = { _ in }
    ) {
        self.control = control
        self.events = events
        self.socketPath = socketPath
        self.remote = remote
        self.logger = logger
        self.onReady = onReady
    }

    /// Serves until cancelled or gracefully shut down; then requests in progress are finished,
    /// operations that may be cancelled are, and the others are waited for.
    package func run() async throws {
        try await refuseSecondDaemon()
        let operations = Operations(events: events)
        let started = AsyncStream.makeStream(of: Int?.self)
        try await withThrowingTaskGroup { group in
            group.addTask { await operations.run() }
            for server in servers(operations, started.continuation) {
                group.addTask { try await server.run() }
            }
            group.addTask { await announce(started.stream) }
            try await group.waitForAll()
        }
    }

    private func announce(_ started: AsyncStream<Int?>) async {
        let count = remote == nil ? 1 : 2
        await cancelWhenGracefulShutdown {
            var missing = count
            var port: Int?
            for await listener in started {
                port = port ?? listener
                missing -= 1
                if missing == 0 { return await onReady(port) }
            }
        }
    }

    private func servers(
        _ operations: Operations, _ started: AsyncStream<Int?>.Continuation
    ) -> [any Service] {
        let responder = APIResponder(
            control: control, operations: operations, events: events, logger: logger)
        let path = socketPath
        let local = listener(nil, responder).server(
            configuration: .init(address: .unixDomainSocket(path: path)),
            onServerRunning: { _ in
                restrict(path)
                started.yield(nil)
            },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        guard let remote else { return [local] }
        let other = listener(remote, responder).server(
            configuration: .init(address: .hostname(remote.host, port: remote.port)),
            onServerRunning: { started.yield($0.localAddress?.port ?? remote.port) },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        return [local, other]
    }

    private func listener(_ remote: RemoteListener?, _ responder: APIResponder) -> ListenerChannel {
        ListenerChannel(
            remote: remote, idleTimeout: idleTimeout,
            respond: { request, peer in await responder.respond(to: request, peer: peer) },
            webSockets: WebSocketRoutes(operations: responder.operations, events: events))
    }

    /// Binding would take the socket's name away from a daemon that still serves it.
    private func refuseSecondDaemon() async throws {
        let probe = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(unixDomainSocketPath: socketPath).get()
        guard let probe else { return }
        try? await probe.close()
        throw GodwitError(
            .busy, "another daemon serves \(socketPath)",
            remedy: "stop it first, or give this one a socket of its own")
    }
}

private func restrict(_ path: String) {
    // A socket that just came into being can be changed by its maker.
    try? FileManager.default.setAttributes([.posixPermissions: 0o660], ofItemAtPath: path)
}
