import Foundation
import MigrationCore
import NIOCore
import NIOSSL
import Synchronization
import Testing
import Wire

/// Who gets in: by certificate, and with a token.
@Suite struct TrustTests {
    @Test private func `a host that is not trusted is told so`() async throws {
        try await Pair.with(trusts: false) { pair in
            let error = await failure { try await pair.openStream() }
            #expect(error?.code == .peerUntrusted)
            #expect(error?.message == "target (\(pair.address)) does not trust this host")
            #expect(error?.cause?.contains(pair.source.fingerprint) == true)
            #expect(await code { try await pair.openControl() } == .peerUntrusted)
            try await pair.expectServing()
        }
    }

    @Test private func `a host that is not the one that was pinned is refused, with both prints`()
        async throws
    {
        try await Pair.with { pair in
            let other = try HostIdentity.fresh("target")
            pair.known.set(pair.record(of: other, named: pair.remote))
            let error = await failure { try await pair.openControl() }
            #expect(error?.code == .peerUntrusted)
            #expect(error?.message.contains(other.fingerprint) == true)
            #expect(error?.message.contains(pair.target.fingerprint) == true)
        }
    }

    @Test private func `addresses are tried in order until one answers`() async throws {
        try await Pair.with { pair in
            var record = pair.record(of: pair.target, named: pair.remote)
            record.addresses = ["127.0.0.1:1", "nonsense", pair.address]
            pair.known.set(record)
            await (try pair.openStream()).cancel()
            record.addresses = ["127.0.0.1:1"]
            pair.known.set(record)
            let error = await failure { try await pair.openStream() }
            #expect(error?.code == .linkLost)
            #expect(error?.message == "target (127.0.0.1:1) could not be reached")
            #expect(error?.cause != nil)
            record.addresses = []
            pair.known.set(record)
            #expect(await code { try await pair.openStream() } == .badRequest)
        }
    }

    @Test private func `an HTTP client is known by its certificate, a stranger is cut off`()
        async throws
    {
        try await Pair.with { pair in
            let raw = try await RawClient(port: pair.port, pair.configuration(["http/1.1"]))
            let text = String(decoding: await raw.heardUntilClosed(), as: UTF8.self)
            #expect(text.hasSuffix("hello source"), "\(String(describing: raw.error))")
            let stranger = try pair.configuration(["http/1.1"], as: .fresh("stranger"))
            let refused = try await RawClient(port: pair.port, stranger)
            #expect(await refused.heardUntilClosed().isEmpty)
        }
    }

    @Test private func `TLS 1.2, no certificate and plain bytes do not get past the handshake`()
        async throws
    {
        try await Pair.with { pair in
            var old = try pair.configuration(["http/1.1"])
            old.minimumTLSVersion = .tlsv12
            old.maximumTLSVersion = .tlsv12
            var bare = try pair.configuration(["http/1.1"])
            bare.certificateChain = []
            bare.privateKey = nil
            for configuration in [old, bare, nil] {
                let client = try await RawClient(port: pair.port, configuration)
                await client.say(Array("GET / HTTP/1.1\r\n\r\n".utf8))
                let heard = await client.heardUntilClosed()
                #expect(!String(decoding: heard, as: UTF8.self).contains("hello"))
            }
            try await pair.expectServing()
        }
    }

    @Test private func `a remote's kept certificate that is none is refused with a cure`() throws {
        let identity = try HostIdentity.fresh("a")
        let error = #expect(throws: GodwitError.self) {
            try identity.httpClientConfiguration(pinning: "bm9uc2Vuc2U=")
        }
        #expect(error?.code == .stateUnreadable)
    }
}

/// The token exchange: all that a host not yet trusted can reach.
@Suite struct TokenExchangeTests {
    private func redeem(_ pair: Pair, secret: String = "s", pin: String? = nil) async throws
        -> (acceptance: TokenAcceptance, certificate: String)
    {
        try await pair.dialer.redeem(
            secret: secret,
            at: [pair.address],
            fingerprint: pin ?? pair.target.fingerprint,
            name: "host-a",
            ownAddresses: ["192.0.2.1:7443"]
        )
    }

    @Test(arguments: [true, false])
    private func `a token is redeemed with the certificate that TLS saw`(trusted: Bool) async throws
    {
        let seen = Mutex<TokenRedemption?>(nil)
        let answer = TokenAcceptance(name: "source", hostName: "host-b")
        try await Pair.with(
            trusts: trusted,
            redeem: { request in
                seen.withLock { $0 = request }
                return answer
            }
        ) { pair in
            let result = try await redeem(pair)
            #expect(result.acceptance == answer)
            #expect(result.certificate == pair.target.certificateText)
            let expected = TokenRedemption(
                secret: "s",
                certificate: pair.source.certificateText,
                name: "host-a",
                addresses: ["192.0.2.1:7443"]
            )
            #expect(seen.withLock { $0 } == expected)
            #expect(await eventually { pair.accepted.openCount == 0 })
        }
    }

    @Test private func `a refusal arrives with its reason`() async throws {
        let rejected = GodwitError(.tokenRejected, "the token was used before", remedy: "make one")
        try await Pair.with(trusts: false, redeem: { _ in throw rejected }) { pair in
            let error = await failure { try await redeem(pair) }
            #expect(error?.code == .tokenRejected)
            #expect(error?.message == rejected.message)
            #expect(error?.remedy == "make one")
        }
    }

    @Test private func `the secret is not shown to a host with another certificate`() async throws {
        let asked = Mutex(false)
        try await Pair.with(
            redeem: { _ in
                asked.withLock { $0 = true }
                return TokenAcceptance(name: "", hostName: "")
            }
        ) { pair in
            let pin = String(repeating: "0", count: 64)
            #expect(await code { try await redeem(pair, pin: pin) } == .peerUntrusted)
            #expect(!asked.withLock { $0 })
        }
    }

    @Test private func `an address that has tried too often has to wait`() async throws {
        try await Pair.with { pair in
            var codes: [GodwitError.Code?] = []
            for _ in 0...Limit.tokenAttemptsPerMinute {
                codes.append(await code { try await redeem(pair) })
            }
            #expect(codes.dropLast().allSatisfy { $0 == .tokenRejected })
            #expect(codes.last == .tooManyAttempts)
            try await pair.expectServing()
        }
    }

    @Test private func `a token too long to travel is refused here`() async throws {
        try await Pair.with { pair in
            let long = String(repeating: "s", count: Int(Limit.tokenMessage.bytes))
            #expect(await code { try await redeem(pair, secret: long) } == .limitExceeded)
        }
    }
}
