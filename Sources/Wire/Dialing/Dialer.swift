import Foundation
package import MigrationCore
package import NIOCore
import NIOPosix
import NIOSSL

/// Opens connections to the hosts that are trusted, and redeems tokens at those that are to be.
package struct Dialer: PeerDialer {
    private let directory: any PeerDirectory
    private let group: any EventLoopGroup
    private let timing: WireTiming
    private let peerContext: NIOSSLContext
    private let tokenContext: NIOSSLContext
    private let throttles = Throttles()

    package init(
        identity: HostIdentity,
        directory: any PeerDirectory,
        group: any EventLoopGroup,
        timing: WireTiming = .standard
    ) throws(GodwitError) {
        do {
            peerContext = try identity.clientContext(ApplicationProtocol.peer)
            tokenContext = try identity.clientContext(ApplicationProtocol.token)
        } catch {
            throw GodwitError(
                .stateUnreadable,
                "TLS does not take this host's key and certificate",
                cause: "\(error)"
            )
        }
        self.directory = directory
        self.group = group
        self.timing = timing
    }

    /// - Throws: `link-lost` if no address answers, `peer-untrusted` if what answers is not the
    ///   remote or
    ///   does not trust this host; in both cases with the addresses that were tried.
    package func openControl(_ remote: RemoteName, migration: MigrationID) async throws
        -> any MessageChannel
    {
        let hello = StreamHello(migration: migration, purpose: .control)
        return ControlChannel(try await open(remote, hello, as: .control))
    }

    package func openStream(_ remote: RemoteName, _ hello: StreamHello, bandwidth: ByteCount?)
        async throws -> any ByteStream
    {
        let link = try await open(remote, hello, as: .stream)
        let throttle = throttles.throttle(for: hello.migration, rate: bandwidth)
        return DataStream(link, throttle: throttle)
    }

    package func setBandwidth(_ bandwidth: ByteCount?, of migration: MigrationID) {
        throttles.change(migration, rate: bandwidth)
    }

    package func ends(towards remote: RemoteName) async throws -> CableEnds {
        let record = try await directory.peer(named: remote)
        let (link, _) = try await connect(
            remote.text, record.addresses, Pin(record.fingerprint), peerContext, as: .control)
        defer { link.hangUp() }
        guard let own = link.channel.localAddress?.ipAddress,
            let other = link.channel.remoteAddress?.ipAddress
        else {
            throw GodwitError(.internalFault, "the connection to \(remote) has no addresses")
        }
        return CableEnds(own: own, other: other)
    }

    private func open(_ remote: RemoteName, _ hello: StreamHello, as role: LinkRole) async throws
        -> FrameLink
    {
        let record = try await directory.peer(named: remote)
        let greeting = try Payload.encode(hello, limit: Limit.hello)
        let (link, _) = try await connect(
            remote.text,
            record.addresses,
            Pin(record.fingerprint),
            peerContext,
            as: role
        )
        let timer = link.channel.eventLoop.scheduleTask(in: timing.hello) {
            link.lose("the host did not answer the hello")
        }
        defer { timer.cancel() }
        do {
            try await link.send(.hello, greeting)
            if try await link.next()?.kind == .hello { return link }
            throw GodwitError(.protocolViolation, "\(link.peer) did not answer the hello")
        } catch {
            link.hangUp()
            throw Self.seenFromHere(error, link.peer)
        }
    }
}

extension Dialer: TrustDialer {
    package func redeem(
        secret: String, at addresses: [String], fingerprint: String, name: String,
        ownAddresses: [String]
    ) async throws -> (acceptance: TokenAcceptance, certificate: String) {
        let request = TokenRequest(secret: secret, name: name, addresses: ownAddresses)
        let message = try Payload.encode(request, limit: Limit.tokenMessage)
        let (link, certificate) = try await connect(
            "the token's host",
            addresses,
            Pin(fingerprint),
            tokenContext,
            as: .redeeming
        )
        defer { link.hangUp() }
        let timer = link.channel.eventLoop.scheduleTask(in: timing.hello) {
            link.lose("the host did not answer the token")
        }
        defer { timer.cancel() }
        try await link.send(.message, message)
        guard let answer = try await link.next() else {
            throw GodwitError(.protocolViolation, "\(link.peer) did not answer the token")
        }
        let acceptance = try Payload.decode(TokenAcceptance.self, from: answer.payload)
        return (acceptance, Data(certificate).base64EncodedString())
    }
}

extension Dialer {
    /// Connects to the first address that answers with the pinned certificate.
    private func connect(
        _ name: String, _ addresses: [String], _ pin: Pin, _ context: NIOSSLContext,
        as role: LinkRole
    ) async throws -> (FrameLink, certificate: [UInt8]) {
        guard !addresses.isEmpty else {
            throw GodwitError(
                .badRequest,
                "no address is known of \(name)",
                remedy: "remove the remote and add it again with a new token"
            )
        }
        var failures: [GodwitError] = []
        for text in addresses.prefix(Limit.addresses) {
            if Task.isCancelled {
                throw GodwitError(.cancelled, "the call of \(name) was cancelled")
            }
            do {
                return try await attempt(HostAddress(text), name, pin, context, role)
            } catch { failures.append(error) }
        }
        let worst = failures.first { $0.code == .peerUntrusted } ?? failures.first
        throw worst ?? GodwitError(.linkLost, "\(name) could not be reached")
    }

    private func attempt(
        _ address: HostAddress, _ name: String, _ pin: Pin, _ context: NIOSSLContext,
        _ role: LinkRole
    ) async throws(GodwitError) -> (FrameLink, certificate: [UInt8]) {
        let label = "\(name) (\(address))"
        do {
            let (channel, handshake) = try await dial(address, pin, context)
            let timer = channel.eventLoop.scheduleTask(in: timing.hello) { hangUp(channel) }
            defer { timer.cancel() }
            _ = try await handshake.completed.get()
            let link = FrameLink(channel, peer: label, timing: timing)
            try await channel.eventLoop.submit { try FrameHandler.install(link, role: role) }.get()
            return (link, pin.shown ?? [])
        } catch {
            throw pin.mismatch.map { Self.mismatch(label, pin.expected, $0) }
                ?? Self.unreachable(label, error)
        }
    }

    private func dial(_ address: HostAddress, _ pin: Pin, _ context: NIOSSLContext) async throws
        -> (any Channel, Handshake)
    {
        let loop = group.next()
        let handshake = Handshake(on: loop)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(timing.connect)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let tls = try NIOSSLClientHandler(
                        context: context,
                        serverHostname: nil,
                        customVerificationCallback: pin.verify
                    )
                    let gate = HandshakeGate(handshake)
                    try channel.pipeline.syncOperations.addHandlers([tls, gate])
                }
            }
        do {
            let channel = try await bootstrap.connect(host: address.host, port: address.port).get()
            return (channel, handshake)
        } catch {
            handshake.complete(.failure(error))
            throw error
        }
    }

    /// The peer's refusal, which names no host, as the one who called should read it.
    private static func seenFromHere(_ error: any Error, _ label: String) -> any Error {
        guard let refusal = error as? GodwitError, refusal.code == .peerUntrusted else {
            return error
        }
        return GodwitError(
            .peerUntrusted,
            "\(label) does not trust this host",
            remedy: "make a token there (`godwit trust add NAME`) and redeem it here "
                + "(`godwit remote add NAME TOKEN`)",
            cause: refusal.message
        )
    }

    private static func mismatch(_ label: String, _ expected: String, _ shown: String)
        -> GodwitError
    {
        GodwitError(
            .peerUntrusted,
            "\(label) showed the certificate \(shown), expected was \(expected)",
            remedy: "if the host was installed anew, remove the remote and add it again with a new "
                + "token; if not, someone else answers at this address"
        )
    }

    private static func unreachable(_ label: String, _ error: any Error) -> GodwitError {
        GodwitError(
            .linkLost,
            "\(label) could not be reached",
            remedy: "check that the daemon runs there and that the port is open between the hosts",
            cause: "\(error)"
        )
    }
}
