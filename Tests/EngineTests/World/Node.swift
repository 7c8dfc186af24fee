import Engine
import Foundation
import Logging
import MigrationCore
import Synchronization

/// One host of the fake world: its driver and pool outlive its daemon, which can be killed.
final class Node: Sendable {
    private struct State {
        var service: HostService?
        var runs: [Task<Void, Never>] = []
        var crashAt: Int?
        var passed: [CrashPoint] = []
        var hasCrashed = false
        var events: [HostEvent] = []
        var others: [String: Node] = [:]
    }

    let name: String
    let directory: String
    let driver = FakeDriver()
    let pool = FakePool()
    private let shared: FakeSharedPool?
    let poolMaker = FakePoolMaker()
    let images: FakeImages
    let states = FakeStates()
    let network: Network
    let idMap: IDMap
    /// Not where passes may take long as others have the processor.
    private let repeatsPasses: Bool
    private let state = Mutex(State())

    init(
        _ name: String, in directory: String, _ network: Network, firstID: UInt32 = 5_000,
        repeatsPasses: Bool, _ ground: SharedGround? = nil
    ) {
        self.repeatsPasses = repeatsPasses
        idMap = IDMap(hostStart: firstID, count: 100)
        shared = ground.map { FakeSharedPool(host: name, ground: $0) }
        self.name = name
        self.directory = directory + "/" + name
        self.network = network
        images = FakeImages(pool: pool)
    }

    /// A stand-in for a certificate; its fingerprint is a real SHA-256.
    var certificate: String { Data("certificate of \(name)".utf8).base64EncodedString() }
    var identity: PeerIdentity { PeerIdentity(fingerprint: fingerprint, name: name) }
    var fingerprint: String { fingerprints[name] ?? "none" }

    var service: HostService {
        get throws {
            guard let service = state.withLock({ $0.service }) else {
                throw GodwitError(.linkLost, "\(name) is down")
            }
            return service
        }
    }

    var passed: [CrashPoint] { state.withLock { $0.passed } }
    var hasCrashed: Bool { state.withLock { $0.hasCrashed } }
    var events: [HostEvent] { state.withLock { $0.events } }
    func other(_ name: String) -> Node? { state.withLock { $0.others[name] } }
    func knows(_ node: Node) { state.withLock { $0.others[node.name] = node } }

    func store() throws -> StateStore { try StateStore(directory: directory) }

    /// The daemon dies before its n-th action, counted from 0.
    func crash(at number: Int) { state.withLock { $0.crashAt = number } }

    func start() throws {
        let service = HostService(
            configuration: HostConfiguration(
                name: name,
                version: "0",
                fingerprint: fingerprint,
                addresses: ["\(name):1"],
                idMap: idMap,
                stopDeadline: .seconds(5),
                repeatsPasses: repeatsPasses
            ),
            store: try store(),
            drivers: [.oci: driver],
            pools: PoolRegistry([
                .init(
                    definition: PoolDefinition(
                        name: "default", kind: shared == nil ? .directory : .shared),
                    pool: .success(shared.map { $0 as any MigratingPool } ?? pool), isGiven: true)
            ]),
            poolMaker: poolMaker,
            states: states,
            importer: FakeImporter(pool: pool),
            imageStore: images,
            facts: FakeFacts(hostname: name, idRange: idMap),
            checks: [NameCheck()]
                + Checks.all.filter { ["mounts", "named-volumes"].contains($0.name) },
            dialer: FakeDialer(node: self),
            events: { [self] event in state.withLock { $0.events.append(event) } },
            logger: Logger(label: name) { _ in SwiftLogNoOpLogHandler() },
            crash: { [self] point in try await pass(point) }
        )
        state.withLock { $0.service = service }
        run { try? await service.run() }
    }

    /// A task of this host's daemon: it dies with it.
    func run(_ body: @escaping @Sendable () async -> Void) {
        let task = Task { await body() }
        state.withLock { $0.runs.append(task) }
    }

    /// As a kill -9 does: nothing is said to anybody, every connection breaks.
    func kill() async {
        let runs = state.withLock { state in
            state.service = nil
            state.crashAt = nil
            state.hasCrashed = false
            defer { state.runs = [] }
            return state.runs
        }
        runs.forEach { $0.cancel() }
        network.cut()
        for run in runs { await run.value }
    }

    private func pass(_ point: CrashPoint) async throws {
        let isEnd = state.withLock { state in
            state.passed.append(point)
            guard let number = state.crashAt, state.passed.count > number else { return false }
            state.hasCrashed = true
            return true
        }
        guard isEnd else { return }
        while true { try await Task.sleep(for: .seconds(60)) }
    }
}

private let fingerprints = [
    "a": "b5bc27b07d944d6acb31f5d7eea68cb303a88c871925479408196f42f294e3ac",
    "b": "f766b84b998752ac3482233e0516762ad167cba716614281f9a6cf3f10403e0e",
]

/// Connects to the node of that name, if it is up and the network is.
struct FakeDialer: PeerDialer, TrustDialer {
    let node: Node

    private func target(_ remote: String) throws -> (Node, HostService) {
        guard !node.network.isDown, let target = node.other(remote) else {
            throw GodwitError(.linkLost, "\(remote) cannot be reached")
        }
        return (target, try target.service)
    }

    func openControl(_ remote: RemoteName, migration: MigrationID) async throws
        -> any MessageChannel
    {
        let (target, service) = try target(remote.text)
        let (there, back) = (Pipe<Envelope>(), Pipe<Envelope>())
        node.network.onCut {
            there.cut()
            back.cut()
        }
        let identity = node.identity
        let network = node.network
        target.run {
            await service.accept(
                control: FakeChannel(network, there, back),
                migration: migration,
                from: identity
            )
        }
        return FakeChannel(network, back, there)
    }

    func openStream(_ remote: RemoteName, _ hello: StreamHello, bandwidth: ByteCount?)
        async throws -> any ByteStream
    {
        let (target, service) = try target(remote.text)
        let (there, back) = (Pipe<[UInt8]>(), Pipe<[UInt8]>())
        node.network.onCut {
            there.cut()
            back.cut()
        }
        let identity = node.identity
        target.run {
            await service.accept(stream: FakeStream(there, back), hello: hello, from: identity)
        }
        return FakeStream(back, there)
    }

    func setBandwidth(_ bandwidth: ByteCount?, of migration: MigrationID) {}

    func ends(towards remote: RemoteName) async throws -> CableEnds {
        CableEnds(own: "192.0.2.1", other: "192.0.2.2")
    }

    func redeem(
        secret: String, at addresses: [String], fingerprint: String, name: String,
        ownAddresses: [String]
    ) async throws -> (acceptance: TokenAcceptance, certificate: String) {
        let host = addresses.first?.prefix { $0 != ":" } ?? ""
        let (target, service) = try target(String(host))
        let acceptance = try await service.redeem(
            TokenRedemption(
                secret: secret,
                certificate: node.certificate,
                name: name,
                addresses: ownAddresses
            )
        )
        return (acceptance, target.certificate)
    }
}
