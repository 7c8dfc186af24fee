import Engine
import MigrationCore
import Synchronization
import Testing

/// Daemons that are killed, at every action, and started again.
@Suite struct RestartTests {
    /// How many actions each side performs in a move that goes well.
    private func actions(_ change: @escaping (inout MoveRequest) -> Void) async throws -> [Int] {
        var counts = [0, 0]
        try await World.run { world in
            _ = try await world.move(change)
            try await world.settled()
            counts = [world.a.passed.count, world.b.passed.count]
        }
        return counts
    }

    @Test(arguments: ["a", "b", "both"])
    func `one copy runs in the end whenever a daemon is killed`(victim: String) async throws {
        let counts = try await actions { _ in }
        #expect(counts[0] > 12 && counts[1] > 12)
        let bound = victim == "b" ? counts[1] : counts[0]
        try await withThrowingTaskGroup { group in
            for number in 0..<bound {
                group.addTask {
                    try await World.run { try await dies(victim, at: number, in: $0) }
                }
            }
            try await group.waitForAll()
        }
    }

    private func dies(_ victim: String, at number: Int, in world: World) async throws {
        let node = victim == "b" ? world.b : world.a
        node.crash(at: number)
        let (id, task) = try await world.begin()
        try await poll("\(node.name) reaches action \(number)") {
            try node.hasCrashed || (world.a.store().openSources().isEmpty && task.isCancelled)
        }
        let point = node.passed.last.map(String.init(describing:)) ?? ""
        await node.kill()
        if victim == "both" {
            await world.b.kill()
            try world.b.start()
        }
        try node.start()
        _ = await task.result
        try await world.settled()
        try world.expectOneCopy("\(victim) at \(number): \(point)")
        let hasMoved = try world.b.store().instance(web) != nil
        let report = try await world.a.service.migration(id)
        #expect((report.status == .succeeded) == hasMoved, "\(victim) at \(number): \(point)")
        #expect(report.ended != nil, "\(victim) at \(number): \(point)")
        if let other = try? await world.b.service.migration(id) {
            #expect((other.status == .succeeded) == hasMoved, "\(victim) at \(number): \(point)")
        }
    }

    /// Its tools are in the instance's control group before the instance is.
    @Test func `a restore that a killed daemon left unfinished is no running instance`()
        async throws
    {
        try await World.run { world in
            world.b.driver.faults.set("restore", .hangs)
            let (_, task) = try await world.begin()
            try await poll("the restore begins") { world.b.driver.faults.hasReached("restore") }
            await world.b.kill()
            world.b.driver.state.withLock {
                $0.instances[web] = FakeDriver.Instance(
                    status: .running, memory: "", hasFirstProcess: false)
            }
            world.b.driver.faults.set("restore", nil)
            try world.b.start()
            _ = await task.result
            try await world.settled()
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `a cold move survives a killed daemon at every action`() async throws {
        let counts = try await actions { $0.mode = .cold }
        for (node, bound) in [("a", counts[0]), ("b", counts[1])] {
            for number in 0..<bound {
                try await World.run { world in
                    let victim = node == "a" ? world.a : world.b
                    victim.crash(at: number)
                    let (_, task) = try await world.begin { $0.mode = .cold }
                    try await poll("the crash") { victim.hasCrashed }
                    await victim.kill()
                    try victim.start()
                    _ = await task.result
                    try await world.settled()
                    #expect(world.running == 1, "\(node) at \(number)")
                }
            }
        }
    }

    @Test func `a graceful stop cancels what can be cancelled`() async throws {
        try await World.run { world in
            try await hold("a sendCheckpoint", in: world) { _, task in
                try world.a.service.shutDown()
                await #expect(throws: GodwitError(.cancelled, "")) { try await task.value }
                #expect(world.a.driver.instances[web]?.status == .running)
            }
            await #expect(throws: GodwitError.self) { try await world.move() }
            await world.a.kill()
            try world.a.start()
            try await world.settled()
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `a graceful stop of the target finishes the restore`() async throws {
        try await World.run { world in
            try await hold("b restore", in: world) { _, task in
                try world.b.service.shutDown()
                world.b.driver.faults.set("restore", nil)
                _ = try await task.value
            }
            await world.b.kill()
            try world.b.start()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
        }
    }

    @Test func `a lock that no journal explains is released at the start`() async throws {
        try await World.run { world in
            await world.a.kill()
            let store = try world.a.store()
            let id = try MigrationID(String(repeating: "1", count: 32))
            try store.change(web, lockedBy: nil) { $0.lock = id }
            try world.a.start()
            try await poll("the lock is gone") { try store.instance(web)?.lock == nil }
        }
    }

    @Test func `a restart does not end another instance that has the name now`() async throws {
        try await World.run { world in
            world.network.cut(at: "acknowledged")
            _ = try await world.move()
            world.network.isDown = true
            await world.a.kill()
            try world.a.start()
            try await world.a.service.launch(LaunchRequest(name: web, root: .path("/new")))
            await world.a.kill()
            try world.a.start()
            world.network.isDown = false
            try await world.settled()
            #expect(world.a.driver.instances[web]?.memory == "fresh")
            #expect(world.a.pool.content("web") == "files of /new")
        }
    }
}
