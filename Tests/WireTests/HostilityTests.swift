import Foundation
import MigrationCore
import NIOCore
import Synchronization
import Testing
import Wire

/// Garbage at each point leaves the listener serving, and says why where somebody can hear it.
@Suite struct HostilityTests {
    private static let garbage: [(String, [UInt8])] = [
        ("no frame", Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)),
        ("zeros", [UInt8](repeating: 0, count: 4_096)),
        ("a hello too long", rawFrame(kind: 1, length: Limit.hello.bytes + 1)),
        ("a length without end", rawFrame(kind: 1, length: .max)),
        ("data first", rawFrame(kind: 3, [1])),
        ("a hello that is none", rawFrame(kind: 1, Array("{\"version\":1}".utf8))),
        ("deep JSON", rawFrame(kind: 1, [UInt8](repeating: 0x5b, count: 4_000))),
        ("an unknown version", rawFrame(version: 9, kind: 1)),
    ]

    @Test(arguments: garbage)
    private func `a trusted host that says nonsense for a hello is told and cut off`(
        what: String, bytes: [UInt8]
    ) async throws {
        try await Pair.with { pair in
            let client = try await RawClient(port: pair.port, pair.configuration(["godwit/1"]))
            await client.say(bytes)
            let text = String(decoding: await client.heardUntilClosed(), as: UTF8.self)
            let codes = ["protocol-violation", "limit-exceeded", "peer-incompatible"]
            #expect(codes.contains { text.contains($0) }, "\(what): \(text)")
            try await pair.expectServing()
        }
    }

    @Test(arguments: garbage)
    private func `an untrusted host's bytes do not reach a parser`(what: String, bytes: [UInt8])
        async throws
    {
        try await Pair.with(trusts: false) { pair in
            let client = try await RawClient(port: pair.port, pair.configuration(["godwit/1"]))
            await client.say(bytes)
            let text = String(decoding: await client.heardUntilClosed(), as: UTF8.self)
            #expect(text.contains("peer-untrusted"), "\(what): \(text)")
            try await pair.expectServing()
        }
    }

    @Test(arguments: [
        rawFrame(kind: 2, length: Limit.tokenMessage.bytes + 1), rawFrame(kind: 2, [1, 2, 3]),
        rawFrame(kind: 5, [0x7b, 0x7d]), rawFrame(kind: 3, [1]), Array("hello, world, again".utf8),
    ])
    private func `nonsense instead of a token is refused`(bytes: [UInt8]) async throws {
        try await Pair.with(trusts: false) { pair in
            let client = try await RawClient(
                port: pair.port,
                pair.configuration(["godwit-token/1"])
            )
            await client.say(bytes)
            let text = String(decoding: await client.heardUntilClosed(), as: UTF8.self)
            #expect(
                text.contains("protocol-violation") || text.contains("limit-exceeded"), "\(text)")
            try await pair.expectServing()
        }
    }

    @Test(arguments: [
        rawFrame(kind: 3, length: Limit.frame.bytes + 1), rawFrame(kind: 3), rawFrame(kind: 2, [1]),
        rawFrame(kind: 1, [1]), Array("hello, world, again".utf8),
    ])
    private func `nonsense on an open stream ends that stream alone`(bytes: [UInt8]) async throws {
        let ended = Mutex<GodwitError.Code?>(nil)
        let acceptor = TestAcceptor(stream: { stream in
            let seen = await code { try await readAll(stream) }
            ended.withLock { $0 = $0 ?? seen }
        })
        try await Pair.with(acceptor) { pair in
            let client = try await RawClient(port: pair.port, pair.configuration(["godwit/1"]))
            await client.say(try helloFrame(pair.migration, .checkpoint))
            #expect(await eventually { !client.bytes.isEmpty })
            await client.say(bytes)
            _ = await client.heardUntilClosed()
            #expect(await eventually { ended.withLock { $0 != nil } })
            let code = ended.withLock { $0 }
            #expect(code == .protocolViolation || code == .limitExceeded)
            try await pair.expectServing()
        }
    }

    @Test private func `a hello of a later protocol is refused naming both versions`() async throws
    {
        try await Pair.with { pair in
            let client = try await RawClient(port: pair.port, pair.configuration(["godwit/1"]))
            await client.say(try helloFrame(pair.migration, .control, version: 2))
            let text = String(decoding: await client.heardUntilClosed(), as: UTF8.self)
            #expect(text.contains("version 2 of the protocol, this host version 1"))
        }
    }

    @Test private func `who says nothing is cut off at the deadline`() async throws {
        var timing = WireTiming.test
        timing.hello = .milliseconds(300)
        try await Pair.with(timing: timing) { pair in
            let bare = try await RawClient(port: pair.port, nil)
            let tls = try await RawClient(port: pair.port, pair.configuration(["godwit/1"]))
            let token = try await RawClient(port: pair.port, pair.configuration(["godwit-token/1"]))
            for client in [bare, tls, token] { _ = await client.heardUntilClosed() }
            #expect(await eventually { pair.accepted.openCount == 0 })
        }
    }

    @Test private func `connections before the hello have a ceiling, and it is given back`()
        async throws
    {
        try await Pair.with { pair in
            var clients: [RawClient] = []
            for _ in 0..<Limit.connectionsBeforeHello {
                clients.append(try await RawClient(port: pair.port, nil))
            }
            #expect(await eventually { pair.accepted.openCount == Limit.connectionsBeforeHello })
            let extra = try await RawClient(port: pair.port, nil)
            #expect(await extra.heardUntilClosed().isEmpty)
            for client in clients { await client.close() }
            #expect(await eventually { pair.accepted.openCount == 0 })
            try await pair.expectServing()
        }
    }

    @Test private func `a trusted host's connections have a ceiling, and it is given back`()
        async throws
    {
        let acceptor = TestAcceptor(stream: { _ = try? await $0.read() })
        try await Pair.with(acceptor) { pair in
            var streams: [any ByteStream] = []
            for _ in 0..<Limit.connectionsPerPeer { streams.append(try await pair.openStream()) }
            #expect(await code { try await pair.openStream() } == .limitExceeded)
            for stream in streams { await stream.cancel() }
            #expect(await eventually { pair.accepted.openCount == 0 })
            await (try pair.openStream()).cancel()
        }
    }
}
