import API
import Foundation
import MigrationCore
import NIOCore
import NIOPosix
import NIOTLS
import Synchronization
import Testing

/// The port for other hosts: nobody who has not been admitted gets through to a parser.
@Suite struct RemoteListenerTests {
    /// Stands for TLS: the first byte is the whole handshake, `h` for HTTP, `g` for another
    /// protocol, `x` for a stranger; the rest passes.
    private final class OneByteHandshake: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias InboundOut = ByteBuffer
        private var isDone = false

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var buffer = unwrapInboundIn(data)
            if !isDone, let byte = buffer.readString(length: 1) {
                isDone = true
                let names = ["h": "http/1.1", "g": "godwit/1"]
                context.fireUserInboundEventTriggered(
                    TLSUserEvent.handshakeCompleted(negotiatedProtocol: names[byte]))
            }
            if buffer.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(buffer)) }
        }
    }

    private static let peer = PeerIdentity(fingerprint: "ab", name: "host-b")

    private static let listener = RemoteListener(
        host: "127.0.0.1", port: 0,
        secure: { try $0.pipeline.syncOperations.addHandler(OneByteHandshake()) },
        admit: { _, name in
            switch name {
            case "http/1.1": .http(peer)
            case "godwit/1": .other { await echo($0) }
            default: .refuse
            }
        })

    /// Sends back what comes, as the contract of `other` asks for it.
    private static func echo(_ channel: any Channel) async {
        let stream = try? await channel.eventLoop.submit {
            let stream = try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                wrappingChannelSynchronously: channel)
            try channel.syncOptions?.setOption(.autoRead, value: true)
            channel.read()
            return stream
        }.get()
        try? await stream?.executeThenClose { inbound, outbound in
            for try await buffer in inbound { try await outbound.write(buffer) }
        }
    }

    /// What comes back for the bytes, until the server closes or `enough` says so.
    private func send(
        _ chunks: [String], port: Int,
        until enough: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var answer = ""
            do {
                for chunk in chunks { try await outbound.write(ByteBuffer(string: chunk)) }
                for try await buffer in inbound {
                    answer += String(buffer: buffer)
                    if enough(answer) { break }
                }
            } catch {
                // Cut off is as good as closed.
            }
            return answer
        }
    }

    private static let request = "GET /1.0 HTTP/1.1\r\nhost: a\r\n\r\n"

    @Test(arguments: [["h" + request], ["h", request]])
    func `an admitted host is answered, however its bytes are cut`(chunks: [String]) async throws {
        try await RunningServer.with(remote: Self.listener) { server in
            let port = try #require(server.port)
            let answer = try await send(chunks, port: port) { $0.contains("host-a") }
            #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer)")
        }
    }

    @Test func `what is not HTTP goes to its own server, every byte of it`() async throws {
        try await RunningServer.with(remote: Self.listener) { server in
            let port = try #require(server.port)
            let answer = try await send(["ghello, ", "world"], port: port) {
                $0.contains("hello, world")
            }
            #expect(answer == "hello, world")
        }
    }

    @Test func `a stranger is closed without a word`() async throws {
        try await RunningServer.with(remote: Self.listener) { server in
            let port = try #require(server.port)
            #expect(try await send(["x" + Self.request], port: port).isEmpty)
            #expect(try await server.client.information() == Sample.information)
        }
    }

    @Test func `silent strangers beyond the limit are closed, and the stop does not wait for them`()
        async throws
    {
        try await RunningServer.with(remote: Self.listener) { server in
            let port = try #require(server.port)
            var channels: [any Channel] = []
            for _ in 0..<Limit.connectionsBeforeHello + 8 {
                channels.append(
                    try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                        .connect(host: "127.0.0.1", port: port).get())
            }
            try await server.eventually { [channels] in
                channels.filter { !$0.isActive }.count >= 8
            }
            // Not more: on a slow machine the first have been silent for too long by now.
            #expect(channels.filter(\.isActive).count <= Limit.connectionsBeforeHello)
            await server.stop()
            for channel in channels { try await channel.closeFuture.get() }
        }
    }
}
