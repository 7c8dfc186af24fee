import Engine
import MigrationCore
import Testing

/// Steps that fail, and hosts that turn back: the source runs again and the target is clean.
@Suite struct FailureTests {
    @Test(arguments: [
        "prepareRestore", "receiveCheckpoint", "restore", "source freeze", "source dump",
        "source sendCheckpoint",
    ])
    func `a step of a driver that fails leaves the instance on the source`(
        step: String
    ) async throws {
        try await World.run { world in
            let isHere = step.hasPrefix("source ")
            let node = isHere ? world.a : world.b
            let word = isHere ? String(step.dropFirst("source ".count)) : step
            node.driver.faults.fails(word, .toolFailed)
            #expect(await world.failure()?.code == .toolFailed)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test(arguments: [
        "createVolume", "receiveWhileRunning", "receiveAfterCheckpoint", "source sendWhileRunning",
        "source sendAfterCheckpoint",
    ])
    func `a step of a pool that fails leaves the instance on the source`(
        step: String
    ) async throws {
        try await World.run { world in
            let isHere = step.hasPrefix("source ")
            let node = isHere ? world.a : world.b
            let word = isHere ? String(step.dropFirst("source ".count)) : step
            node.pool.faults.fails(word, .noSpace)
            #expect(await world.failure()?.code == .noSpace)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            let report = try #require(try await world.a.service.migrations(of: web).first)
            #expect(report.status == .failed)
            #expect(report.error?.code == .noSpace)
        }
    }

    @Test func `a volume that arrives with another digest is not handed over`() async throws {
        try await World.run { world in
            try await world.b.pool.faults.pass("corrupt")
            #expect(await world.failure()?.code == .volumeDiffers)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(world.b.driver.faults.count("restore") == 0)
        }
    }

    /// The steps in which each side can be held up, with whether the source may still cancel.
    @Test(arguments: [
        "b prepareRestore", "a sendWhileRunning", "b receiveWhileRunning", "a freeze",
        "a sendCheckpoint", "a sendAfterCheckpoint", "b receiveAfterCheckpoint",
        "b receiveCheckpoint",
    ])
    func `a cancel before custody brings the instance back`(place: String) async throws {
        try await World.run { world in
            try await hold(place, in: world) { id, task in
                try await world.a.service.cancelMigration(id)
                await #expect(throws: GodwitError(.cancelled, "")) { try await task.value }
                let report = try await world.a.service.migration(id)
                #expect(report.status == .cancelled)
            }
            try await world.settled()
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `a cancel after custody is refused and the move goes on`() async throws {
        try await World.run { world in
            try await hold("b restore", in: world) { id, task in
                await #expect(throws: GodwitError(.busy, "")) {
                    try await world.a.service.cancelMigration(id)
                }
                world.b.driver.faults.set("restore", nil)
                _ = try await task.value
            }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
        }
    }

    @Test(arguments: ["a sendWhileRunning", "b receiveCheckpoint"])
    func `the target can cancel what it has not taken`(place: String) async throws {
        try await World.run { world in
            try await hold(place, in: world) { id, task in
                try await world.b.service.cancelMigration(id)
                await #expect(throws: GodwitError(.cancelled, "")) { try await task.value }
            }
            try await world.settled()
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `a move that takes too long ends as timed out`() async throws {
        try await World.run { world in
            world.a.pool.faults.set("sendWhileRunning", .hangs)
            #expect(await world.failure { $0.timeoutSeconds = 0 }?.code == .timedOut)
            world.a.pool.faults.set("sendWhileRunning", nil)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `a client that goes away does not end the move`() async throws {
        try await World.run { world in
            try await hold("a sendWhileRunning", in: world) { _, task in
                task.cancel()
                world.a.pool.faults.set("sendWhileRunning", nil)
                _ = try await task.value
            }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
        }
    }

    @Test func `progress and phase can be read while the move goes on`() async throws {
        try await World.run { world in
            try await hold("a sendCheckpoint", in: world) { id, task in
                let progress = try await world.a.service.progress(of: id)
                #expect(progress?.phase == .perform)
                #expect(progress?.step == "send state")
                #expect(try await world.a.service.instance(web).migration == id)
                world.a.driver.faults.set("sendCheckpoint", nil)
                _ = try await task.value
                #expect(try await world.a.service.progress(of: id) == nil)
            }
        }
    }
}

/// Starts a move and calls the body while it stands in the step, such as `b restore`.
func hold(
    _ place: String,
    in world: World,
    _ body: (MigrationID, Task<MigrationReport, any Error>) async throws -> Void
) async throws {
    let node = place.hasPrefix("a ") ? world.a : world.b
    let step = String(place.dropFirst(2))
    for faults in [node.driver.faults, node.pool.faults] { faults.set(step, .hangs) }
    let (id, task) = try await world.begin()
    try await poll("the move reaches \(place)") {
        node.driver.faults.hasReached(step) || node.pool.faults.hasReached(step)
    }
    try await body(id, task)
    for faults in [node.driver.faults, node.pool.faults] { faults.set(step, nil) }
}
