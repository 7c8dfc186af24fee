import Engine
import MigrationCore
import Synchronization
import Testing

/// Snapshots that go with their instance to another host.
@Suite struct SnapshotTravelTests {
    private static let contents = ["snap0": "first", "snap1": "second"]

    /// With `web` on a, which has two snapshots and has been written to since.
    private func run(_ body: (World) async throws -> Void) async throws {
        try await World.run { world in
            for content in ["first", "second"] {
                world.a.pool.write(content, to: "web")
                _ = try await world.a.service.createSnapshot(SnapshotRequest(instance: web))
            }
            world.a.pool.write("now", to: "web")
            try await body(world)
        }
    }

    private func kept(_ node: Node) -> [String: String] {
        node.pool.kept.withLock { $0["web"] ?? [:] }
    }

    private func known(_ node: Node) throws -> [SnapshotRecord] { try node.store().snapshots() }

    private func expectOnly(on node: Node, _ other: Node, _ snapshots: [Snapshot]) throws {
        #expect(kept(node) == Self.contents)
        #expect(kept(other) == [:])
        #expect(try known(node).map(\.snapshot) == snapshots)
        #expect(try known(node).allSatisfy(\.isWhole))
        #expect(try known(other).isEmpty)
    }

    @Test(arguments: [MoveOptions.Mode.live, .cold])
    func `they are there after a move, and at home after the next`(
        mode: MoveOptions.Mode
    ) async throws {
        try await run { world in
            let before = try known(world.a).map(\.snapshot)
            let report = try await world.move { $0.mode = mode }
            #expect(report.bytes["snapshots"] == 11)
            try await world.settled()
            try expectOnly(on: world.b, world.a, before)
            #expect(world.b.pool.content("web") == "now")
            try await world.b.service.restoreSnapshot(before[0].name, of: web, .never)
            #expect(world.b.pool.content("web") == "first")
            let home = MoveRequest(name: web, remote: try RemoteName("a"))
            _ = try await world.b.service.move(home, started: { _ in }, progress: { _ in })
            try await world.settled()
            try expectOnly(on: world.a, world.b, before)
        }
    }

    @Test func `the state of a stateful one goes with it, and the processes go on from it there`()
        async throws
    {
        try await World.run { world in
            let request = SnapshotRequest(instance: web, isStateful: true)
            _ = try await world.a.service.createSnapshot(request)
            _ = try await world.move()
            try await world.settled()
            #expect(world.a.states.count == 0 && world.b.states.count == 1)
            let arrived = try #require(try known(world.b).first)
            #expect(arrived.state?.phase == .kept && arrived.snapshot.isStateful)
            #expect(arrived.state?.bytes == arrived.snapshot.stateBytes)
            world.b.driver.state.withLock { $0.instances[web]?.memory = "counted on" }
            try await world.b.service.restoreSnapshot(arrived.name, of: web, .ifKept)
            #expect(world.b.driver.instances[web]?.memory == "counted to 7")
            try await world.b.service.deleteSnapshot(arrived.name, of: web)
            #expect(world.b.states.count == 0)
        }
    }

    @Test(arguments: ["write", "finish"])
    func `a state that cannot be kept on the target ends the move`(step: String) async throws {
        try await World.run { world in
            let request = SnapshotRequest(instance: web, isStateful: true)
            _ = try await world.a.service.createSnapshot(request)
            world.b.states.faults.fails(step, .noSpace)
            #expect(await world.failure() != nil)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(world.a.states.count == 1 && world.b.states.count == 0)
            #expect(try known(world.b).isEmpty)
        }
    }

    @Test func `a state that is much larger than was said ends the move`() async throws {
        try await World.run { world in
            let request = SnapshotRequest(instance: web, isStateful: true)
            _ = try await world.a.service.createSnapshot(request)
            let id = try #require(try known(world.a).first?.state?.id)
            world.a.states.kept.withLock { $0[id] = [UInt8](repeating: 1, count: 17 << 20) }
            #expect(await world.failure()?.code == .protocolViolation)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(world.b.states.count == 0)
        }
    }

    @Test func `they belong to the instance's new name`() async throws {
        try await run { world in
            _ = try await world.move { $0.newName = name("shop") }
            try await world.settled()
            #expect(world.b.pool.kept.withLock { $0["shop"] } == Self.contents)
            #expect(try await world.b.service.snapshots(of: name("shop")).count == 2)
        }
    }

    @Test(arguments: [
        "a sendSnapshot", "b receiveAfterCheckpoint", "b createSnapshot", "b restore",
        "a sendCheckpoint",
    ])
    func `a move that fails leaves them where they were, and nothing on the target`(
        step: String
    ) async throws {
        try await run { world in
            let before = try known(world.a).map(\.snapshot)
            let words = step.split(separator: " ").map(String.init)
            let node = words[0] == "a" ? world.a : world.b
            for faults in [node.pool.faults, node.driver.faults] {
                faults.fails(words[1], .toolFailed)
            }
            #expect(await world.failure() != nil)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            try expectOnly(on: world.a, world.b, before)
        }
    }

    @Test func `one that did not arrive as it is ends the move`() async throws {
        try await run { world in
            let before = try known(world.a).map(\.snapshot)
            try await world.b.pool.faults.pass("corrupt")
            #expect(await world.failure()?.code == .volumeDiffers)
            try await world.settled()
            try expectOnly(on: world.a, world.b, before)
        }
    }

    @Test(arguments: ["a", "b"])
    func `a daemon that is killed while they travel leaves them at the source`(
        victim: String
    ) async throws {
        try await run { world in
            let before = try known(world.a).map(\.snapshot)
            world.b.pool.faults.set("createSnapshot", .hangs)
            let (_, task) = try await world.begin()
            try await poll("a snapshot arrives") {
                world.b.pool.faults.hasReached("createSnapshot")
            }
            let node = victim == "a" ? world.a : world.b
            await node.kill()
            world.b.pool.faults.set("createSnapshot", nil)
            try node.start()
            _ = await task.result
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            try expectOnly(on: world.a, world.b, before)
        }
    }

    @Test func `they stay with a definition that is kept, and are on the target as well`()
        async throws
    {
        try await run { world in
            _ = try await world.move { $0.keepsDefinition = true }
            try await world.settled()
            for node in [world.a, world.b] {
                #expect(kept(node) == Self.contents)
                #expect(try known(node).count == 2)
            }
        }
    }

    @Test func `who gives them up has none afterwards`() async throws {
        try await run { world in
            _ = try await world.move { $0.dropsSnapshots = true }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            for node in [world.a, world.b] {
                #expect(kept(node) == [:])
                #expect(try known(node).isEmpty)
            }
            #expect(!world.a.pool.faults.hasReached("sendSnapshot"))
        }
    }

    @Test func `what is due stays as long as a move needs it`() async throws {
        try await World.run { world in
            let soon = Timestamp(milliseconds: Timestamp.now.milliseconds + 200)
            _ = try await world.a.service.createSnapshot(
                SnapshotRequest(instance: web, expires: soon))
            world.b.pool.faults.set("createSnapshot", .hangs)
            let (_, task) = try await world.begin()
            try await poll("it arrives") { world.b.pool.faults.hasReached("createSnapshot") }
            try await poll("its time is over") { Timestamp.now > soon }
            for node in [world.a, world.b] {
                _ = try await node.service.removeExpiredSnapshots()
            }
            #expect(try known(world.a).count == 1)
            world.b.pool.faults.set("createSnapshot", nil)
            _ = try await task.value
            try await world.settled()
            _ = try await world.b.service.removeExpiredSnapshots()
            #expect(try known(world.b).isEmpty)
        }
    }
}
