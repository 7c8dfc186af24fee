import Engine
import MigrationCore
import Synchronization
import Testing

/// What changes in a volume while it travels.
@Suite struct VolumePassTests {
    /// The first pass takes so long that another one pays.
    private func withSlowPass(_ body: (World) async throws -> Void) async throws {
        try await World.run(repeatsPasses: true) { world in
            world.a.pool.faults.set("sendWhileRunning", .takes(.milliseconds(1_100)))
            try await body(world)
        }
    }

    @Test(arguments: [MoveOptions.Mode.live, .cold])
    func `it follows before the freeze`(mode: MoveOptions.Mode) async throws {
        try await withSlowPass { world in
            let report = try await world.move { $0.mode = mode }
            try await world.settled()
            #expect(world.a.driver.instances.isEmpty)
            #expect(world.b.driver.instances[web]?.status == .running)
            #expect(world.b.pool.content("web") == "files of /image")
            // The second pass is short.
            #expect(world.a.pool.faults.count("sendAgain") == 1)
            #expect(world.b.pool.faults.count("receiveAgain") == 1)
            #expect(report.bytes["passes"] == report.bytes["volume"])
        }
    }

    /// What has changed since the second pass follows when memory is ready.
    @Test func `it follows again before the freeze where memory went ahead`() async throws {
        try await withSlowPass { world in
            for node in [world.a, world.b] {
                node.driver.state.withLock { $0.canMoveMemory = true }
            }
            let report = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.pool.faults.count("sendAgain") == 2)
            #expect(world.b.pool.faults.count("receiveAgain") == 2)
            let passes = report.passes ?? []
            #expect(passes.map(\.number) == [2, 3] && passes.allSatisfy { $0.bytes > 0 })
        }
    }

    @Test func `where nothing changes there is no pass and no delta`() async throws {
        try await withSlowPass { world in
            world.a.pool.isUnchanged.withLock { $0 = true }
            let report = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.pool.faults.count("sendAgain") == 0)
            #expect(Set(report.bytes.keys) == ["volume", "checkpoint"])
        }
    }

    @Test(arguments: [("a", "sendAgain"), ("b", "receiveAgain")])
    func `a pass that fails leaves the instance where it is`(
        host: String, step: String
    ) async throws {
        try await withSlowPass { world in
            (host == "a" ? world.a : world.b).pool.faults.fails(step, .toolFailed)
            #expect(await world.failure() != nil)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(world.a.driver.faults.count("freeze") == 0)
        }
    }
}
