import Engine
import Foundation
import MigrationCore
import Testing

@Suite struct TrustTests {
    /// Both hosts up, strangers to each other.
    private func strangers(_ body: (World) async throws -> Void) async throws {
        try await World.run { world in
            try await world.a.service.removeRemote(RemoteName("b"))
            try await world.b.service.removeTrust(RemoteName("a"))
            try await body(world)
        }
    }

    @Test func `a token makes two hosts trust each other`() async throws {
        try await strangers { world in
            let token = try await world.b.service.addTrust(RemoteName("alpha"))
            #expect(token.hasPrefix("godwit1."))
            #expect(token.allSatisfy { $0.isLetter || $0.isNumber || "-_.".contains($0) })
            try await world.a.service.addRemote(RemoteName("b"), token: token)
            let remote = try #require(try await world.a.service.remotes().first)
            #expect(remote.name.text == "b")
            #expect(remote.fingerprint == world.b.fingerprint)
            #expect(remote.addresses == ["b:1"])
            let trusted = try await world.b.service.trusted()
            #expect(trusted == [PeerIdentity(fingerprint: world.a.fingerprint, name: "alpha")])
            let known = try KnownPeers(in: world.b.store())
            let peer = await known.peer(withFingerprint: world.a.fingerprint)
            #expect(peer?.addresses == ["a:1"])
            _ = try await world.move()
        }
    }

    @Test func `a token that was used is refused`() async throws {
        try await strangers { world in
            let token = try await world.b.service.addTrust(RemoteName("alpha"))
            try await world.a.service.addRemote(RemoteName("b"), token: token)
            try await world.a.service.removeRemote(RemoteName("b"))
            try await world.b.service.removeTrust(RemoteName("alpha"))
            await #expect(throws: GodwitError(.tokenRejected, "")) {
                try await world.a.service.addRemote(RemoteName("b"), token: token)
            }
            #expect(try await world.a.service.remotes().isEmpty)
            #expect(try await world.b.service.trusted().isEmpty)
        }
    }

    @Test func `a token that is expired, unknown or damaged is refused`() async throws {
        try await strangers { world in
            let text = try await world.b.service.addTrust(RemoteName("alpha"))
            var token = try TrustToken(text)
            token.expires = Timestamp(milliseconds: 1)
            var forged = try TrustToken(text)
            forged.secret = Data(repeating: 1, count: 32).base64EncodedString()
            var texts = [try token.text, try forged.text]
            texts += ["godwit1.", "", String(text.dropLast(5)), "godwit2." + text.dropFirst(8)]
            for bad in texts {
                await #expect(throws: GodwitError(.tokenRejected, ""), "\(bad)") {
                    try await world.a.service.addRemote(RemoteName("b"), token: bad)
                }
            }
            try await world.a.service.addRemote(RemoteName("b"), token: text)
        }
    }

    @Test func `guessing is slow`() async throws {
        try await strangers { world in
            let request = TokenRedemption(
                secret: "guess", certificate: world.a.certificate, name: "a", addresses: []
            )
            for _ in 0..<Limit.tokenAttemptsPerMinute {
                await #expect(throws: GodwitError(.tokenRejected, "")) {
                    try await world.b.service.redeem(request)
                }
            }
            await #expect(throws: GodwitError(.tooManyAttempts, "")) {
                try await world.b.service.redeem(request)
            }
        }
    }

    @Test func `names are unique and a host cannot trust itself`() async throws {
        try await World.run { world in
            await #expect(throws: GodwitError(.nameTaken, "")) {
                try await world.b.service.addTrust(RemoteName("a"))
            }
            let token = try await world.b.service.addTrust(RemoteName("again"))
            await #expect(throws: GodwitError(.nameTaken, "")) {
                try await world.a.service.addRemote(RemoteName("c"), token: token)
            }
            await #expect(throws: GodwitError(.badRequest, "")) {
                try await world.b.service.addRemote(RemoteName("me"), token: token)
            }
            await #expect(throws: GodwitError(.notFound, "")) {
                try await world.a.service.removeRemote(RemoteName("nobody"))
            }
        }
    }

    @Test func `a remote that a migration needs is not removed`() async throws {
        try await World.run { world in
            try await hold("a sendWhileRunning", in: world) { id, task in
                for (node, peer) in [(world.a, "b"), (world.b, "a")] {
                    await #expect(throws: GodwitError(.busy, "")) {
                        try await node.service.removeRemote(RemoteName(peer))
                    }
                }
                try await world.a.service.cancelMigration(id)
                _ = await task.result
            }
        }
    }

    @Test func `there is an end to open tokens`() async throws {
        try await World.run { world in
            for number in 0..<Limit.tokensOpen {
                _ = try await world.a.service.addTrust(RemoteName("host-\(number)"))
            }
            await #expect(throws: GodwitError(.limitExceeded, "")) {
                try await world.a.service.addTrust(RemoteName("one-more"))
            }
        }
    }
}
