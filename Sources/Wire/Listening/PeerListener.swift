import Foundation
package import Logging
package import MigrationCore
package import NIOCore
import NIOSSL
import Synchronization

/// What a connection may do, once TLS has shown its certificate.
package enum Admission: Equatable, Sendable {
    /// The API's.
    case http(PeerIdentity)
    case peer(PeerIdentity)
    /// Anybody's; the token exchange and nothing else.
    case token
    case refuse(GodwitError)
}

/// The listener's half of the wire, as steps for whoever owns the port:
///
///     secure (fresh channel) → handshake → admit → .http: the API
///                                                → others: serve
///
/// From `secure` on a connection has ten seconds to be admitted as HTTP or to say an acceptable
/// hello.
package struct PeerListener: Sendable {
    package typealias Redeem = @Sendable (TokenRedemption) async throws -> TokenAcceptance

    let directory: any PeerDirectory
    let acceptor: any PeerAcceptor
    let redeem: Redeem
    let timing: WireTiming
    let logger: Logger
    private let context: NIOSSLContext
    private let beforeHello = Occupancy(ceiling: Limit.connectionsBeforeHello)
    private let perPeer = Occupancy(ceiling: Limit.connectionsPerPeer)
    let attempts = TokenAttempts()

    package init(
        identity: HostIdentity,
        directory: any PeerDirectory,
        acceptor: any PeerAcceptor,
        timing: WireTiming = .standard,
        logger: Logger = Logger(label: "wire"),
        redeem: @escaping Redeem
    ) throws(GodwitError) {
        do { context = try identity.serverContext() } catch {
            throw GodwitError(
                .stateUnreadable,
                "TLS does not take this host's key and certificate",
                cause: "\(error)"
            )
        }
        self.directory = directory
        self.acceptor = acceptor
        self.timing = timing
        self.logger = logger
        self.redeem = redeem
    }

    /// Puts TLS into a fresh channel's pipeline; on its event loop.
    ///
    /// - Throws: `limit-exceeded` if too many connections have not said who they are; close it
    ///   then.
    package func secure(_ channel: any Channel) throws {
        channel.eventLoop.preconditionInEventLoop()
        guard beforeHello.enter() else {
            throw GodwitError(.limitExceeded, "too many connections wait for their handshake")
        }
        let handshake = Handshake(on: channel.eventLoop)
        let timer = channel.eventLoop.scheduleTask(in: timing.hello) { hangUp(channel) }
        handshake.whenSettled { [beforeHello] in
            timer.cancel()
            beforeHello.leave()
        }
        channel.closeFuture.whenComplete { _ in
            handshake.settle()
            handshake.complete(.failure(ChannelError.eof))
        }
        let tls = NIOSSLServerHandler(
            context: context,
            customVerificationCallback: { _, verdict in verdict.succeed(.certificateVerified) }
        )
        try channel.pipeline.syncOperations.addHandlers([tls, HandshakeGate(handshake)])
    }

    /// Waits for TLS: the application protocol that was agreed on, nil if the client named none.
    package func handshake(_ channel: any Channel) async throws(GodwitError) -> String? {
        do { return try await gate(of: channel).completed.get() } catch {
            throw GodwitError(
                .protocolViolation,
                "the TLS handshake with \(label(of: channel)) came to nothing",
                cause: "\(error)"
            )
        }
    }

    /// Decides what a connection may do; after its handshake.
    package func admit(_ channel: any Channel, applicationProtocol: String?) async -> Admission {
        if applicationProtocol == ApplicationProtocol.token { return .token }
        guard let certificate = try? await certificate(of: channel) else {
            return .refuse(GodwitError(.peerUntrusted, "no certificate was shown"))
        }
        let shown = fingerprint(ofDER: certificate)
        guard let record = await directory.peer(withFingerprint: shown) else {
            return .refuse(untrusted(shown))
        }
        guard perPeer.enter(shown) else {
            return .refuse(
                GodwitError(.limitExceeded, "\(record.name) has too many connections open here")
            )
        }
        channel.closeFuture.whenComplete { [perPeer] _ in perPeer.leave(shown) }
        let peer = PeerIdentity(fingerprint: shown, name: record.name.text)
        switch applicationProtocol {
        case ApplicationProtocol.peer: return .peer(peer)
        case ApplicationProtocol.http, nil:
            await settle(channel)
            return .http(peer)
        case .some(let other):
            return .refuse(GodwitError(.protocolViolation, "\(other) is not spoken here"))
        }
    }

    private func untrusted(_ shown: String) -> GodwitError {
        GodwitError(
            .peerUntrusted,
            "the certificate \(shown) is not trusted by the host that it was shown to"
        )
    }

    /// Serves a connection that is not the API's, and returns when it is over.
    package func serve(_ channel: any Channel, as admission: Admission) async {
        let link = FrameLink(channel, peer: label(of: channel, admission), timing: timing)
        do {
            switch admission {
            case .http: preconditionFailure("the API serves its own connections")
            case .peer(let peer): try await converse(link, with: peer)
            case .token: try await exchange(link)
            case .refuse(let error): try await refuse(link, error)
            }
        } catch {
            logger.info(
                "connection refused",
                metadata: ["peer": "\(link.peer)", "error": "\(error)"]
            )
            // What is known of the failure has been told; whoever does not hang up is cut off.
            let reason = error as? GodwitError ?? GodwitError(.internalFault, "\(error)")
            link.fail(reason, telling: reason)
        }
        try? await channel.closeFuture.get()
    }

    private func refuse(_ link: FrameLink, _ error: GodwitError) async throws {
        let isPeer = try await gate(of: link.channel).completed.get() == ApplicationProtocol.peer
        guard isPeer else { return link.hangUp() }
        try await install(link, .refused)
        throw error
    }
}

extension PeerListener {
    func install(_ link: FrameLink, _ role: LinkRole) async throws {
        try await link.channel.eventLoop.submit { try FrameHandler.install(link, role: role) }.get()
    }

    private func converse(_ link: FrameLink, with peer: PeerIdentity) async throws {
        try await install(link, .listening)
        guard let frame = try await link.next() else { return link.hangUp() }
        let hello = try Payload.decode(StreamHello.self, from: frame.payload)
        guard hello.version == 1 else {
            throw GodwitError(
                .peerIncompatible,
                "the peer speaks version \(hello.version) of the protocol, this host version 1",
                remedy: "update the older of the two hosts"
            )
        }
        let role: LinkRole = hello.purpose == .control ? .control : .stream
        let channel = link.channel
        try await channel.eventLoop.submit { try FrameHandler.become(role, on: channel) }.get()
        try await link.send(.hello, frame.payload)
        await settle(channel)
        if role == .control {
            let control = ControlChannel(link)
            await acceptor.accept(control: control, migration: hello.migration, from: peer)
            await control.close()
        } else {
            await acceptor.accept(stream: DataStream(link), hello: hello, from: peer)
            link.abandon(within: timing.silence)
        }
    }

    func settle(_ channel: any Channel) async { try? await gate(of: channel).settle() }

    private func gate(of channel: any Channel) async throws -> Handshake {
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: HandshakeGate.self).handshake
        }.get()
    }

    /// The certificate that TLS saw, DER.
    func certificate(of channel: any Channel) async throws -> [UInt8] {
        try await channel.eventLoop.submit {
            guard let shown = try channel.pipeline.syncOperations.nioSSL_peerCertificate() else {
                throw GodwitError(.peerUntrusted, "no certificate was shown")
            }
            return try shown.toDERBytes()
        }.get()
    }

    private func label(of channel: any Channel, _ admission: Admission? = nil) -> String {
        let address = channel.remoteAddress.map { "\($0.ipAddress ?? "?")" } ?? "an unknown address"
        guard case .peer(let peer) = admission else { return address }
        return "\(peer.name) (\(address))"
    }
}
