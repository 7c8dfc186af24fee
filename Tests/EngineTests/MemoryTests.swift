import Engine
import MigrationCore
import Synchronization
import Testing

@Suite struct MemoryTests {
    private func run(
        _ hosts: String..., body: (World) async throws -> Void
    ) async throws {
        try await World.run { world in
            for node in [world.a, world.b] where hosts.contains(node.name) {
                node.driver.state.withLock { $0.canMoveMemory = true }
            }
            try await body(world)
        }
    }

    @Test func `memory goes ahead of the freeze where both hosts can`() async throws {
        try await run("a", "b") { world in
            let report = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(
                world.b.driver.state.withLock { $0.arrivedPages[web] }
                    == "round,counted to 7|round,")
            #expect(report.memory?.rounds.count == 1)
            #expect(report.downtime["scan"] != nil && report.downtime["memory"] != nil)
            #expect(world.a.driver.state.withLock { $0.closedSessions } >= 1)
        }
    }

    @Test(arguments: ["a", "b"])
    func `one host that cannot is enough to do without`(host: String) async throws {
        try await run(host) { world in
            let report = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(report.memory == nil)
            #expect(world.a.driver.faults.count("openMemory") == 0)
        }
    }

    /// The delta travels beside the dump; a dump that changes files has another one follow it.
    @Test(arguments: [false, true])
    func `what a dump changes in the files follows it`(isTouched: Bool) async throws {
        try await run("a", "b") { world in
            world.a.driver.state.withLock { $0.dumpsTouchFiles = isTouched }
            _ = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.pool.faults.count("sendAfterCheckpoint") == (isTouched ? 2 : 1))
            #expect(world.b.pool.faults.count("receiveAfterCheckpoint") == (isTouched ? 2 : 1))
        }
    }

    @Test func `a volume that has not changed is not sent again`() async throws {
        try await run("a", "b") { world in
            world.a.pool.isUnchanged.withLock { $0 = true }
            _ = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.pool.faults.count("sendAfterCheckpoint") == 0)
            #expect(world.b.pool.faults.count("receiveAfterCheckpoint") == 0)
        }
    }

    @Test func `a cold move sends no memory`() async throws {
        try await run("a", "b") { world in
            let report = try await world.move { $0.mode = .cold }
            #expect(report.memory == nil)
        }
    }

    @Test(arguments: ["openMemory", "sendRounds", "capture", "finishMemory"])
    func `a source that fails at it keeps the instance and lets go of its memory`(
        step: String
    ) async throws {
        try await run("a", "b") { world in
            world.a.driver.faults.fails(step, .kernelRefused)
            let error = await world.failure()
            #expect(error?.code == .kernelRefused)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            let closed = world.a.driver.state.withLock { $0.closedSessions }
            #expect(step == "openMemory" || closed >= 1)
        }
    }

    @Test func `a target that fails at it leaves the instance at the source`() async throws {
        try await run("a", "b") { world in
            world.b.driver.faults.fails("receiveMemory", .limitExceeded)
            let error = await world.failure()
            #expect(error?.code == .limitExceeded)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `a cancel during the rounds leaves the instance running`() async throws {
        try await run("a", "b") { world in
            world.a.driver.faults.set("sendRounds", .hangs)
            let (id, move) = try await world.begin()
            try await poll("the rounds are reached") {
                world.a.driver.faults.hasReached("sendRounds")
            }
            try await world.a.service.cancelMigration(id)
            await #expect(throws: GodwitError.self) { try await move.value }
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(world.a.driver.instances[web]?.status == .running)
            #expect(world.a.driver.state.withLock { $0.closedSessions } >= 1)
        }
    }
}
