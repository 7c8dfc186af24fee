import Engine
import MigrationCore
import Synchronization
import Testing

/// Instances that stop with their state and go on from it.
@Suite struct StateTests {
    private func memory(_ world: World) -> String? { world.a.driver.instances[web]?.memory }

    private func state(_ world: World) async throws -> SavedState? {
        try await world.a.service.instance(web).state
    }

    @Test func `an instance goes on where it stood`() async throws {
        try await World.run { world in
            let service = try world.a.service
            try await service.stopStateful(web)
            let view = try await service.instance(web)
            #expect(view.observation.status == .stopped)
            #expect(view.state?.phase == .kept)
            #expect(view.state?.bytes == ByteCount(bytes: 12))
            #expect(world.a.states.count == 1)
            try await service.start(web, .ifKept)
            #expect(memory(world) == "counted to 7")
            #expect(try await state(world) == nil)
            #expect(world.a.states.count == 0)
        }
    }

    @Test func `a state can be discarded, and goes with its instance`() async throws {
        try await World.run { world in
            let service = try world.a.service
            try await service.stopStateful(web)
            try await service.start(web, .never)
            #expect(memory(world) == "fresh")
            #expect(world.a.states.count == 0)
            try await service.stopStateful(web)
            try await service.delete(web, force: false)
            #expect(world.a.states.count == 0)
        }
    }

    @Test(arguments: ["freeze", "dump", "sendCheckpoint", "write", "finish", "sync"])
    func `an instance whose state cannot be saved runs on`(step: String) async throws {
        try await World.run { world in
            let faults =
                ["write", "finish", "sync"].contains(step)
                ? world.a.states.faults : world.a.driver.faults
            faults.fails(step, .noSpace)
            await #expect(throws: GodwitError(.noSpace, "")) {
                try await world.a.service.stopStateful(web)
            }
            #expect(try await world.a.service.instance(web).observation.status == .running)
            #expect(memory(world) == "counted to 7")
            #expect(try world.a.store().instance(web)?.state == nil)
            #expect(world.a.states.count == 0)
            faults.set(step, nil)
            try await world.a.service.stopStateful(web)
            #expect(try await state(world)?.phase == .kept)
        }
    }

    @Test(arguments: ["prepareRestore", "receiveCheckpoint", "restore"])
    func `a start that fails leaves the state for another`(step: String) async throws {
        try await World.run { world in
            let service = try world.a.service
            try await service.stopStateful(web)
            world.a.driver.faults.fails(step, .restoreFailed)
            do {
                try await service.start(web, .ifKept)
                Issue.record("it started")
            } catch let error as GodwitError {
                #expect(error.code == .restoreFailed)
                #expect(error.message.contains("kept"))
            }
            #expect(world.a.driver.instances[web] == nil)
            #expect(try await state(world)?.phase == .kept)
            world.a.driver.faults.set(step, nil)
            try await service.start(web, .ifKept)
            #expect(memory(world) == "counted to 7")
        }
    }

    @Test func `what is not the state that was written is not gone on from`() async throws {
        try await World.run { world in
            let service = try world.a.service
            try await service.stopStateful(web)
            world.a.states.kept.withLock { kept in
                for id in kept.keys { kept[id] = Array("counted to 8".utf8) }
            }
            await #expect(throws: GodwitError(.stateUnreadable, "")) {
                try await service.start(web, .ifKept)
            }
            #expect(try await service.instance(web).observation.status == .stopped)
        }
    }

    @Test func `what cannot be saved, or would lose a state, is refused`() async throws {
        try await World.run { world in
            let service = try world.a.service
            try await service.freeze(web)
            await #expect(throws: GodwitError(.notRunning, "")) {
                try await service.stopStateful(web)
            }
            try await service.unfreeze(web)
            let obstacle = Obstacle(kind: "io-uring", process: "web (pid 1)", detail: "has one")
            world.a.driver.state.withLock { $0.obstacles = [obstacle] }
            await #expect(throws: GodwitError(.refused, "")) {
                try await service.stopStateful(web)
            }
            #expect(!world.a.driver.faults.hasReached("dump"))
            world.a.driver.state.withLock { $0.obstacles = [] }
            try await service.stopStateful(web)
            await #expect(throws: GodwitError(.refused, "")) {
                try await service.rename(web, to: name("shop"))
            }
            #expect(await world.failure()?.code == .refused)
        }
    }
}

/// What a daemon that died in the middle has left.
@Suite struct StateRestartTests {
    /// Stops with its state, is as `change` says when the daemon dies, and starts again.
    private func restarted(
        _ world: World, _ phase: SavedState.Phase, _ instance: FakeDriver.Instance?,
        until isDone: () throws -> Bool
    ) async throws {
        try await world.a.service.stopStateful(web)
        try world.a.store().change(web, lockedBy: nil) { $0.state?.phase = phase }
        await world.a.kill()
        world.a.driver.state.withLock { $0.instances[web] = instance }
        world.a.states.kept.withLock { $0["left"] = [] }
        try world.a.start()
        try await poll("it is taken up", isDone)
        #expect(world.a.states.kept.withLock { $0["left"] } == nil)
    }

    @Test func `an instance whose state was being saved runs on`() async throws {
        try await World.run { world in
            try await restarted(
                world, .saving, FakeDriver.Instance(status: .frozen, memory: "counted to 7")
            ) { try world.a.store().instance(web)?.state == nil }
            #expect(world.a.driver.instances[web]?.status == .running)
            #expect(world.a.states.count == 0)
        }
    }

    @Test func `an original whose state is kept is ended`() async throws {
        try await World.run { world in
            try await restarted(
                world, .kept, FakeDriver.Instance(status: .frozen, memory: "counted to 7")
            ) { world.a.driver.instances[web] == nil }
            try await world.a.service.start(web, .ifKept)
            #expect(world.a.driver.instances[web]?.memory == "counted to 7")
        }
    }

    @Test func `an instance that goes on is not begun again`() async throws {
        try await World.run { world in
            try await restarted(
                world, .resuming, FakeDriver.Instance(status: .running, memory: "counted to 9")
            ) { try world.a.store().instance(web)?.state == nil }
            #expect(world.a.driver.instances[web]?.memory == "counted to 9")
            #expect(try world.a.store().instance(web)?.isWanted == true)
        }
    }

    @Test func `where nobody knows whether it ran, a person decides`() async throws {
        try await World.run { world in
            try await restarted(world, .resuming, nil) {
                world.a.driver.faults.hasReached("discardRestore")
            }
            await #expect(throws: GodwitError(.refused, "")) {
                try await world.a.service.start(web, .ifKept)
            }
            try await world.a.service.start(web, .always)
            #expect(world.a.driver.instances[web]?.memory == "counted to 7")
        }
    }
}
