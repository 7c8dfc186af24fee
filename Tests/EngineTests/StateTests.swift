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

    @Test func `a state that is not there is not gone on from`() async throws {
        try await World.run { world in
            let service = try world.a.service
            try await service.stop(web, force: true, grace: .zero)
            await #expect(throws: GodwitError(.notFound, "")) {
                try await service.start(web, .always)
            }
            #expect(try await service.instance(web).observation.status == .stopped)
        }
    }

    @Test func `a thaw that fails is tried again`() async throws {
        try await World.run { world in
            let faults = world.a.driver.faults
            faults.fails("dump", .checkpointFailed)
            faults.fails("thaw", .kernelRefused)
            async let failed: Void = {
                await #expect(throws: GodwitError(.checkpointFailed, "")) {
                    try await world.a.service.stopStateful(web)
                }
            }()
            try await poll("it is tried again") { faults.count("thaw") > 1 }
            faults.set("thaw", nil)
            await failed
            #expect(try await world.a.service.instance(web).observation.status == .running)
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

/// Snapshots with the state of the processes.
@Suite struct StatefulSnapshotTests {
    private func take(_ world: World) async throws -> Snapshot {
        let request = SnapshotRequest(instance: web, isStateful: true)
        return try await world.a.service.createSnapshot(request).snapshot
    }

    @Test func `files and processes of one moment come back together`() async throws {
        try await World.run { world in
            let (service, driver) = (try world.a.service, world.a.driver)
            let made = try await take(world)
            #expect(made.isStateful && made.stateBytes == ByteCount(bytes: 12))
            #expect(made.pauseMilliseconds != nil)
            #expect(driver.instances[web]?.status == .running)
            let files = world.a.pool.content("web")
            driver.state.withLock { $0.instances[web]?.memory = "counted to 9" }
            world.a.pool.write("later", to: "web")
            // The state stays with its snapshot, so that it can be used again.
            for _ in 0..<2 {
                try await service.restoreSnapshot(made.name, of: web, .ifKept)
                #expect(driver.instances[web]?.memory == "counted to 7")
                #expect(world.a.pool.content("web") == files)
            }
            try await service.restoreSnapshot(made.name, of: web, .never)
            #expect(driver.instances[web]?.memory == "fresh")
            await world.a.kill()
            try world.a.start()
            try await world.a.service.restoreSnapshot(made.name, of: web, .ifKept)
            #expect(driver.instances[web]?.memory == "counted to 7")
            try await world.a.service.deleteSnapshot(made.name, of: web)
            #expect(world.a.states.count == 0)
        }
    }

    @Test(arguments: ["freeze", "dump", "runOn", "sendCheckpoint", "write", "finish"])
    func `one that cannot be made leaves the instance running and nothing else`(
        step: String
    ) async throws {
        try await World.run { world in
            let ofStates = ["write", "finish"].contains(step)
            let faults = ofStates ? world.a.states.faults : world.a.driver.faults
            faults.fails(step, .noSpace)
            async let failed: Void = {
                await #expect(throws: GodwitError(.noSpace, "")) { _ = try await take(world) }
            }()
            if step == "runOn" {
                // It is tried until it works.
                try await poll("it is tried again") { faults.count("runOn") > 1 }
                faults.set(step, nil)
                world.a.driver.faults.fails("sendCheckpoint", .noSpace)
            }
            await failed
            #expect(world.a.driver.instances[web]?.status == .running)
            #expect(try world.a.store().snapshots().isEmpty)
            #expect(world.a.states.count == 0)
        }
    }

    @Test func `an instance that does not run has no state`() async throws {
        try await World.run { world in
            try await world.a.service.stop(web, force: true, grace: .zero)
            await #expect(throws: GodwitError(.notRunning, "")) { _ = try await take(world) }
        }
    }

    @Test func `a restore whose processes cannot go on has its files`() async throws {
        try await World.run { world in
            let made = try await take(world)
            world.a.driver.faults.fails("restore", .restoreFailed)
            await #expect(throws: GodwitError(.restoreFailed, "")) {
                try await world.a.service.restoreSnapshot(made.name, of: web, .ifKept)
            }
            #expect(world.a.driver.instances[web] == nil)
            world.a.driver.faults.set("restore", nil)
            try await world.a.service.restoreSnapshot(made.name, of: web, .ifKept)
            #expect(world.a.driver.instances[web]?.memory == "counted to 7")
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
