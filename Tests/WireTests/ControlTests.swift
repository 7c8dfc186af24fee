import Foundation
import MigrationCore
import NIOCore
import Synchronization
import Testing
import Wire

/// Control conversations over real TLS on 127.0.0.1.
@Suite struct ControlTests {
    private let echo = TestAcceptor(control: { channel in
        while let envelope = try? await channel.receive() { try? await channel.send(envelope) }
    })

    @Test private func `messages come in order, both ways`() async throws {
        try await Pair.with(echo) { pair in
            let channel = try await pair.openControl()
            let said: [Message] = [
                .custody, .inquire, .declined(GodwitError(.noSpace, "full")), .acknowledged,
                .arrived(Digests(volumes: ["root": "a/b"], checkpoint: nil)),
            ]
            for message in said { try await channel.send(pair.envelope(message)) }
            for message in said {
                #expect(try await channel.receive() == pair.envelope(message))
            }
            await channel.close()
            #expect(try await channel.receive() == nil)
            #expect(await eventually { pair.accepted.openCount == 0 })
        }
    }

    @Test private func `closing loses nothing that was said before`() async throws {
        let got = Mutex<[Message]>([])
        let acceptor = TestAcceptor(control: { channel in
            while let envelope = try? await channel.receive() {
                got.withLock { $0.append(envelope.message) }
            }
        })
        try await Pair.with(acceptor) { pair in
            let channel = try await pair.openControl()
            let said = [Message](repeating: .restoring, count: 200)
            for message in said { try await channel.send(pair.envelope(message)) }
            await channel.close()
            #expect(await eventually { got.withLock { $0 == said } })
        }
    }

    @Test private func `the listener's close is an end, not a lost link`() async throws {
        let acceptor = TestAcceptor(control: { channel in
            if let first = try? await channel.receive() { try? await channel.send(first) }
            await channel.close()
        })
        try await Pair.with(acceptor) { pair in
            let channel = try await pair.openControl()
            try await channel.send(pair.envelope(.inquire))
            #expect(try await channel.receive() == pair.envelope(.inquire))
            #expect(try await channel.receive() == nil)
        }
    }

    @Test private func `a message over the limit is refused here and the conversation goes on`()
        async throws
    {
        try await Pair.with(echo) { pair in
            let channel = try await pair.openControl()
            let long = String(repeating: "a", count: Int(Limit.message.bytes))
            let tooLong = pair.envelope(.abort(GodwitError(.busy, long)))
            #expect(await code { try await channel.send(tooLong) } == .limitExceeded)
            try await channel.send(pair.envelope(.closed))
            #expect(try await channel.receive() == pair.envelope(.closed))
        }
    }

    @Test private func `a cut link is lost on both ends`() async throws {
        let ended = Mutex<GodwitError.Code?>(nil)
        let acceptor = TestAcceptor(control: { channel in
            let seen = await code { try await channel.receive() }
            ended.withLock { $0 = seen }
        })
        try await Pair.with(acceptor) { pair in
            let channel = try await pair.openControl()
            pair.accepted.cut()
            #expect(await code { try await channel.receive() } == .linkLost)
            #expect(await code { try await channel.send(pair.envelope(.custody)) } == .linkLost)
            #expect(await eventually { ended.withLock { $0 == .linkLost } })
        }
    }

    @Test private func `a peer that goes silent is lost, one that only says nothing is not`()
        async throws
    {
        var timing = WireTiming.test
        (timing.beat, timing.silence) = (.milliseconds(50), .milliseconds(1_500))
        let ended = Mutex<[GodwitError.Code?]>([])
        let acceptor = TestAcceptor(control: { channel in
            let seen = await code { try await channel.receive() }
            ended.withLock { $0.append(seen) }
        })
        try await Pair.with(acceptor, timing: timing) { pair in
            let alive = try await pair.openControl()
            let silent = try await RawClient(port: pair.port, pair.configuration(["godwit/1"]))
            await silent.say(try helloFrame(pair.migration, .control))
            #expect(await eventually { ended.withLock { !$0.isEmpty } })
            #expect(ended.withLock { $0 } == [.linkLost])
            // The silent one heard signs of life; the other one's conversation still works.
            #expect(silent.bytes.count > 100)
            try await alive.send(pair.envelope(.custody))
            #expect(await eventually { ended.withLock { $0 == [.linkLost, nil] } })
        }
    }

    @Test private func `a message that is none ends the conversation with a reason`() async throws {
        let ended = Mutex<GodwitError.Code?>(nil)
        let acceptor = TestAcceptor(control: { channel in
            let seen = await code { try await channel.receive() }
            ended.withLock { $0 = seen }
        })
        try await Pair.with(acceptor) { pair in
            let raw = try await RawClient(port: pair.port, pair.configuration(["godwit/1"]))
            await raw.say(
                try helloFrame(pair.migration, .control) + rawFrame(kind: 2, Array("{}".utf8))
            )
            let text = String(decoding: await raw.heardUntilClosed(), as: UTF8.self)
            // Sent in one go, so the message came before the hello was accepted.
            #expect(text.contains("protocol-violation"))
            let other = try await RawClient(port: pair.port, pair.configuration(["godwit/1"]))
            await other.say(try helloFrame(pair.migration, .control))
            #expect(await eventually { !other.bytes.isEmpty })
            await other.say(rawFrame(kind: 2, Array("{}".utf8)))
            #expect(await eventually { ended.withLock { $0 == .protocolViolation } })
            let answer = String(decoding: await other.heardUntilClosed(), as: UTF8.self)
            #expect(answer.contains("protocol-violation"))
        }
    }
}

func helloFrame(_ migration: MigrationID, _ purpose: StreamHello.Purpose, version: Int = 1) throws
    -> [UInt8]
{
    let hello = StreamHello(version: version, migration: migration, purpose: purpose)
    return rawFrame(kind: 1, Array(try JSONEncoder().encode(hello)))
}
