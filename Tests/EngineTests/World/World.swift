import Engine
import Foundation
import MigrationCore
import Synchronization
import Testing

/// Two hosts that trust each other, joined by a wire in memory, each with a real state file.
final class World: Sendable {
    let network = Network()
    let a: Node
    let b: Node
    private let directory: String

    /// Runs the body with both daemons up and one instance `web` running on a.
    ///
    /// - Parameter ground: what both hosts see, where their pools share volumes.
    static func run(
        hasInstance: Bool = true,
        firstIDOfB: UInt32 = 5_000,
        ground: SharedGround? = nil,
        repeatsPasses: Bool = false,
        _ body: (World) async throws -> Void
    ) async throws {
        let world = World(firstIDOfB: firstIDOfB, ground, repeatsPasses)
        defer { try? FileManager.default.removeItem(atPath: world.directory) }
        try await world.begin(hasInstance: hasInstance)
        do { try await body(world) } catch {
            await world.end()
            throw error
        }
        await world.end()
    }

    private init(firstIDOfB: UInt32, _ ground: SharedGround?, _ repeatsPasses: Bool) {
        directory =
            FileManager.default.temporaryDirectory.path
            + "/godwit-engine-\(UUID().uuidString)"
        a = Node("a", in: directory, network, repeatsPasses: repeatsPasses, ground)
        b = Node(
            "b", in: directory, network, firstID: firstIDOfB, repeatsPasses: repeatsPasses, ground)
        a.knows(b)
        b.knows(a)
    }

    private func begin(hasInstance: Bool) async throws {
        for (node, other) in [(a, b), (b, a)] {
            try node.store().insert(
                PeerRecord(
                    name: RemoteName(other.name),
                    fingerprint: other.fingerprint,
                    certificate: other.certificate,
                    addresses: ["\(other.name):1"]
                )
            )
            try node.start()
        }
        guard hasInstance else { return }
        try await a.service.launch(LaunchRequest(name: web, root: .path("/image")))
        a.driver.state.withLock { $0.instances[web]?.memory = "counted to 7" }
    }

    private func end() async {
        await a.kill()
        await b.kill()
    }

    func move(_ change: (inout MoveRequest) -> Void = { _ in }) async throws -> MigrationReport {
        var request = MoveRequest(name: web, remote: try RemoteName("b"))
        change(&request)
        return try await a.service.move(request, started: { _ in }, progress: { _ in })
    }

    /// A move that is expected to fail, and what it failed with.
    func failure(_ change: (inout MoveRequest) -> Void = { _ in }) async -> GodwitError? {
        do {
            _ = try await move(change)
            return nil
        } catch { return error as? GodwitError }
    }

    /// Starts a move and returns while it goes on.
    func begin(
        _ change: (inout MoveRequest) -> Void = { _ in }
    ) async throws -> (MigrationID, Task<MigrationReport, any Error>) {
        var request = MoveRequest(name: web, remote: try RemoteName("b"))
        change(&request)
        let (ids, continuation) = AsyncStream.makeStream(of: MigrationID.self)
        let service = try a.service
        let task = Task { [request] in
            defer { continuation.finish() }
            return try await service.move(
                request,
                started: { continuation.yield($0) },
                progress: { _ in }
            )
        }
        for await id in ids { return (id, task) }
        _ = try await task.value
        throw GodwitError(.internalFault, "the move never began")
    }

    /// How many copies of the workload run, under any name, on both hosts together.
    var running: Int {
        [a, b].map { $0.driver.instances.values.count { $0.status == .running } }.reduce(0, +)
    }

    /// Returns when no journal is open any more and no name reserved.
    func settled() async throws {
        let stores = [try a.store(), try b.store()]
        try await poll("both journals are settled") {
            try stores.allSatisfy { store in
                try store.openSources().isEmpty && store.openTargets().isEmpty
                    && store.instances().allSatisfy { $0.lock == nil }
            }
        }
    }

    /// Exactly one host has the instance, runs it, and nothing of it is on the other.
    func expectOneCopy(on node: Node? = nil, _ comment: Comment? = nil) throws {
        let owners = [a, b].filter { !$0.driver.instances.isEmpty }
        #expect(owners.count == 1, comment)
        #expect(running == 1, comment)
        guard let owner = owners.first else { return }
        if let node { #expect(owner === node, comment) }
        for node in [a, b] {
            let known = try node.store().instances()
            #expect(known.count == (node === owner ? 1 : 0), comment)
            let volumes = try node.store().volumes()
            #expect(volumes.allSatisfy { $0.isWhole && $0.lock == nil }, comment)
            let names = known.map(\.definition.name.text) + volumes.map(\.volume.stored)
            #expect(node.pool.names == Set(names), comment)
            #expect(node.driver.state.withLock { $0.prepared.isEmpty } || node === owner, comment)
        }
        #expect(owner.driver.instances.values.first?.memory == "counted to 7", comment)
    }
}

let web = name("web")

func name(_ text: String) -> InstanceName {
    do { return try InstanceName(text) } catch { fatalError("\(text) is no name") }
}

/// Waits until the condition holds; fails after a minute, as this machine may do much else.
func poll(_ what: String, _ condition: () throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record("not in time: \(what)")
            throw GodwitError(.timedOut, what)
        }
        try await Task.sleep(for: .milliseconds(2))
    }
}
