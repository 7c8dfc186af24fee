import Foundation
import MigrationCore
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing
import Wire

/// Whom a host of these tests trusts; may change while connections are open.
final class TestDirectory: PeerDirectory {
    private let records = Mutex<[PeerRecord]>([])

    func set(_ record: PeerRecord) {
        records.withLock { records in
            records.removeAll { $0.name == record.name }
            records.append(record)
        }
    }

    func peer(named name: RemoteName) async throws -> PeerRecord {
        guard let known = records.withLock({ $0.first { $0.name == name } }) else {
            throw GodwitError(.notFound, "no remote \(name)")
        }
        return known
    }

    func peer(withFingerprint fingerprint: String) async -> PeerRecord? {
        records.withLock { $0.first { $0.fingerprint == fingerprint } }
    }
}

/// What the target does with what it is offered.
struct TestAcceptor: PeerAcceptor {
    var control: @Sendable (any MessageChannel) async -> Void = { _ in }
    var stream: @Sendable (any ByteStream) async -> Void = { _ in }
    var seen: @Sendable (StreamHello, PeerIdentity) -> Void = { _, _ in }

    func accept(control: any MessageChannel, migration: MigrationID, from peer: PeerIdentity) async
    {
        seen(StreamHello(migration: migration, purpose: .control), peer)
        await self.control(control)
    }

    func accept(stream: any ByteStream, hello: StreamHello, from peer: PeerIdentity) async {
        seen(hello, peer)
        await self.stream(stream)
    }
}

/// A source with its dialer, and a target that listens on 127.0.0.1 and drives the listener's
/// steps.
struct Pair: Sendable {
    let source: HostIdentity
    let target: HostIdentity
    let known = TestDirectory()
    let trusted = TestDirectory()
    let dialer: Dialer
    let remote: RemoteName
    let migration: MigrationID
    let server: any Channel
    let accepted: Accepted

    var port: Int { server.localAddress?.port ?? 0 }
    var address: String { "127.0.0.1:\(port)" }

    final class Accepted: Sendable {
        private let channels = Mutex<[any Channel]>([])

        func add(_ channel: any Channel) { channels.withLock { $0.append(channel) } }

        var openCount: Int { channels.withLock { $0.count { $0.isActive } } }

        /// As if the cable were pulled: TCP ends, TLS and frames do not.
        func cut() { channels.withLock { $0 }.forEach { hangUp($0) } }
    }

    static func with(
        _ acceptor: TestAcceptor = TestAcceptor(),
        trusts: Bool = true,
        timing: WireTiming = .test,
        redeem: @escaping PeerListener.Redeem = { _ in throw GodwitError(.tokenRejected, "no") },
        _ body: (Pair) async throws -> Void
    ) async throws {
        let pair = try await Pair(acceptor, timing, redeem)
        pair.known.set(pair.record(of: pair.target, named: pair.remote))
        if trusts {
            pair.trusted.set(pair.record(of: pair.source, named: try RemoteName("source")))
        }
        defer { pair.accepted.cut() }
        try await body(pair)
        try await pair.server.close()
    }

    private init(
        _ acceptor: TestAcceptor, _ timing: WireTiming, _ redeem: @escaping PeerListener.Redeem
    ) async throws {
        source = try .fresh("source")
        target = try .fresh("target")
        remote = try RemoteName("target")
        migration = try MigrationID(String(repeating: "0a", count: 16))
        let group = MultiThreadedEventLoopGroup.singleton
        dialer = try Dialer(identity: source, directory: known, group: group, timing: timing)
        let listener = try PeerListener(
            identity: target,
            directory: trusted,
            acceptor: acceptor,
            timing: timing,
            redeem: redeem
        )
        let accepted = Accepted()
        self.accepted = accepted
        server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try listener.secure(channel)
                    accepted.add(channel)
                    Task { await serve(channel, listener) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func record(of host: HostIdentity, named name: RemoteName) -> PeerRecord {
        PeerRecord(
            name: name,
            fingerprint: host.fingerprint,
            certificate: host.certificateText,
            addresses: [address]
        )
    }

    func openControl() async throws -> any MessageChannel {
        try await dialer.openControl(remote, migration: migration)
    }

    func openStream(bandwidth: ByteCount? = nil) async throws -> any ByteStream {
        let hello = StreamHello(migration: migration, purpose: .volume("root"))
        return try await dialer.openStream(remote, hello, bandwidth: bandwidth)
    }

    func envelope(_ message: Message) -> Envelope {
        Envelope(version: 1, migration: migration, message: message)
    }

    /// That the target still does what it should for whoever is trusted.
    func expectServing() async throws {
        trusted.set(record(of: source, named: try RemoteName("source")))
        let stream = try await openStream()
        await stream.cancel()
    }
}

private func serve(_ channel: any Channel, _ listener: PeerListener) async {
    guard let negotiated = try? await listener.handshake(channel) as String? else { return }
    let admission = await listener.admit(channel, applicationProtocol: negotiated)
    guard case .http(let peer) = admission else {
        return await listener.serve(channel, as: admission)
    }
    let answer = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\nhello \(peer.name)")
    try? await channel.writeAndFlush(answer)
    try? await channel.close()
}

extension WireTiming {
    /// Patient enough for a loaded machine, but for what ends a connection that is over.
    static var test: WireTiming {
        var timing = WireTiming()
        timing.linger = .milliseconds(200)
        return timing
    }
}

extension HostIdentity {
    static func fresh(_ name: String) throws -> HostIdentity {
        let texts = try generate(hostName: name)
        return try HostIdentity(keyPEM: texts.key, certificatePEM: texts.crt)
    }
}

/// The code of the error that `body` throws; nil if it throws none.
func code<Value>(of body: () async throws -> Value) async -> GodwitError.Code? {
    await failure(of: body)?.code
}

func failure<Value>(of body: () async throws -> Value) async -> GodwitError? {
    do {
        _ = try await body()
        return nil
    } catch { return error as? GodwitError ?? GodwitError(.internalFault, "\(error)") }
}

/// Waits until it is so, at most half a minute.
func eventually(_ condition: () async -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
        if await condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return await condition()
}
