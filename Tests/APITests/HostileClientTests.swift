import API
import Foundation
import Logging
import MigrationCore
import NIOCore
import NIOPosix
import Testing

/// Clients that do not speak as they should leave the server serving.
@Suite struct HostileClientTests {
    /// Sends the bytes on a connection of their own; what came back until the server closed, or
    /// until `enough` says so.
    private func send(
        _ bytes: [UInt8], to server: RunningServer,
        until enough: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(unixDomainSocketPath: server.socketPath) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: bytes))
            var answer = ""
            do {
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

    private func isServing(_ server: RunningServer) async throws {
        #expect(try await server.client.information() == Sample.information)
    }

    @Test(arguments: [
        "\u{16}\u{3}\u{1}\u{2}nonsense that might be TLS\r\n\r\n", "GET\r\n\r\n",
        "GET /1.0 HTTP/9.9\r\n\r\n", "\0\0\0\0\0\0\0\0\r\n\r\n",
        "GET /1.0 HTTP/1.1\r\nbad header\r\n\r\n",
        "POST /1.0/instances HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n",
    ])
    func `garbage is answered with 400 and the connection closed`(text: String) async throws {
        try await RunningServer.with { server in
            let answer = try await send(Array(text.utf8), to: server)
            #expect(answer.hasPrefix("HTTP/1.1 400"), "\(answer)")
            #expect(answer.contains(#""code":"bad-request""#), "\(answer)")
            try await isServing(server)
        }
    }

    @Test func `headers beyond the limit are refused`() async throws {
        try await RunningServer.with { server in
            let field = "x-long: \(String(repeating: "a", count: 20_000))\r\n"
            let text = "GET /1.0 HTTP/1.1\r\nhost: a\r\n\(field)\r\n"
            let answer = try await send(Array(text.utf8), to: server)
            #expect(answer.hasPrefix("HTTP/1.1 400"), "\(answer)")
            let many = (0..<200).map { "x\($0): 1\r\n" }.joined()
            let crowd = "GET /1.0 HTTP/1.1\r\nhost: a\r\n\(many)\r\n"
            #expect(try await send(Array(crowd.utf8), to: server).hasPrefix("HTTP/1.1 400"))
            try await isServing(server)
        }
    }

    @Test func `an upgrade to something unknown is answered as if it had not been asked for`()
        async throws
    {
        try await RunningServer.with { server in
            let text = """
                GET /1.0/remotes HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings\r
                upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n
                """
            let answer = try await send(Array(text.utf8), to: server) { $0.contains("metadata") }
            #expect(answer.hasPrefix("HTTP/1.1 200"), "\(answer)")
            try await isServing(server)
        }
    }

    @Test(arguments: [
        ("/1.0/nothing", "404"), ("/1.0/operations/x/websocket?secret=y", "404"),
        ("/1.0/events?type=weather", "400"),
    ])
    func `a websocket that is refused gets its reason`(
        path: String, status: String
    ) async throws {
        try await RunningServer.with { server in
            let text = """
                GET \(path) HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r
                sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n
                """
            let answer = try await send(Array(text.utf8), to: server)
            #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(answer)")
            #expect(answer.contains(#""type":"error""#))
        }
    }

    @Test func `a secret opens one channel, once, and a wrong one none`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let exec = try await server.ask(
                "POST", "/1.0/instances/web/exec", #"{"command": ["wait"]}"#)
            let path = try #require(exec.json["operation"]?.text)
            let secret = try #require(exec.json["metadata"]?["metadata"]?["fds"]?["0"]?.text)
            #expect(secret.count == 64)
            let upgrade = { (secret: String) in
                """
                GET \(path)/websocket?secret=\(secret) HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r
                upgrade: websocket\r\nsec-websocket-version: 13\r
                sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n
                """
            }
            let wrong = try await send(Array(upgrade("wrong").utf8), to: server)
            #expect(wrong.hasPrefix("HTTP/1.1 403"), "\(wrong)")
            let right = try await send(Array(upgrade(secret).utf8), to: server) {
                $0.contains("101")
            }
            #expect(right.hasPrefix("HTTP/1.1 101"), "\(right)")
            let again = try await send(Array(upgrade(secret).utf8), to: server)
            #expect(again.hasPrefix("HTTP/1.1 403"), "\(again)")
        }
    }

    @Test func `garbage on an open websocket ends that websocket alone`() async throws {
        try await RunningServer.with { server in
            let text = """
                GET /1.0/events HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r
                sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n
                """
            let garbage = [UInt8](repeating: 0xff, count: 64)
            let answer = try await send(Array(text.utf8) + garbage, to: server)
            #expect(answer.hasPrefix("HTTP/1.1 101"), "\(answer)")
            try await server.eventually { server.events.subscriberCount == 0 }
            try await isServing(server)
        }
    }

    @Test func `a client that says nothing holds nobody up, not even the stop`() async throws {
        try await RunningServer.with { server in
            let silent = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: server.socketPath).get()
            let half = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: server.socketPath).get()
            try await half.writeAndFlush(ByteBuffer(string: "GET /1.0 HT"))
            try await isServing(server)
            await server.stop()
            try await silent.closeFuture.get()
            try await half.closeFuture.get()
        }
    }

    @Test func `a second daemon on the same socket is refused`() async throws {
        try await RunningServer.with { server in
            let second = APIServer(
                control: server.host, events: server.events, socketPath: server.socketPath,
                logger: .init(label: "second"))
            #expect(await code { try await second.run() } == .busy)
            try await isServing(server)
        }
    }

    @Test func `only owner and group may open the socket`() async throws {
        try await RunningServer.with { server in
            let attributes = try FileManager.default.attributesOfItem(atPath: server.socketPath)
            #expect(attributes[.posixPermissions] as? Int == 0o660)
        }
    }
}
