import MigrationCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// Opens websockets on the daemon's Unix socket.
struct WebSocketClient: Sendable {
    let socketPath: String

    /// Holds a conversation for as long as `body` runs.
    ///
    /// - Throws: `daemonUnreachable` if nothing answers, `notFound` if the daemon refuses.
    func converse(
        _ path: String,
        _ body: @escaping @Sendable (WebSocketReader, WebSocketWriter) async throws -> Void
    ) async throws {
        let upgraded: EventLoopFuture<WebSocketChannel?>
        do {
            upgraded = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: socketPath) { channel in
                    channel.eventLoop.makeCompletedFuture { try upgrade(channel, path) }
                }
        } catch {
            throw GodwitError.unreachable(socketPath, cause: error)
        }
        guard let socket = try await upgraded.get() else {
            throw GodwitError(
                .notFound, "the daemon refused a websocket at \(path.prefix { $0 != "?" })",
                remedy: "ask again; the operation may be over")
        }
        try await socket.converse(masks: true, body)
    }
}

/// The future is nil where the server answers anything but 101.
private func upgrade(
    _ channel: any Channel, _ path: String
) throws -> EventLoopFuture<WebSocketChannel?> {
    let upgrader = NIOTypedWebSocketClientUpgrader<WebSocketChannel?>(
        maxFrameSize: webSocketFrameLimit,
        upgradePipelineHandler: { channel, _ in
            channel.eventLoop.makeCompletedFuture { try WebSocketChannel.wrap(channel) }
        })
    let head = HTTPRequestHead(
        version: .http1_1, method: .GET, uri: path,
        headers: ["host": "localhost", "content-length": "0"])
    var configuration = NIOUpgradableHTTPClientPipelineConfiguration(
        upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
            upgradeRequestHead: head, upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.close().recover { _ in }.map { nil }
            }))
    // What the daemon says right after its answer is the conversation's beginning.
    configuration.leftOverBytesStrategy = .forwardBytes
    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
        configuration: configuration)
}
