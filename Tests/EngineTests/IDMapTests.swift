import Engine
import MigrationCore
import Synchronization
import Testing

/// Instances that have other host ids on the target than on the source.
@Suite struct IDMapTests {
    private func run(_ body: (World) async throws -> Void) async throws {
        try await World.run(firstIDOfB: 9_000) { world in
            world.a.pool.write("files of 5000", to: "web")
            try await body(world)
        }
    }

    private func definition(_ node: Node) throws -> InstanceDefinition? {
        try node.store().instance(web)?.definition
    }

    private func goHome(_ world: World) async throws {
        let home = MoveRequest(name: web, remote: try RemoteName("a"))
        _ = try await world.b.service.move(home, started: { _ in }, progress: { _ in })
        try await world.settled()
    }

    @Test(arguments: [MoveOptions.Mode.live, .cold])
    func `it has the target's ids there, and its own again at home`(
        mode: MoveOptions.Mode
    ) async throws {
        try await run { world in
            #expect(try definition(world.a)?.idMap == IDMap(hostStart: 5_000, count: 100))
            _ = try await world.move { $0.mode = mode }
            try await world.settled()
            #expect(try definition(world.b)?.idMap == IDMap(hostStart: 9_000, count: 100))
            #expect(world.b.pool.content("web") == "files of 9000")
            #expect(world.b.pool.faults.count("expectIDs") == 1)
            try await goHome(world)
            #expect(try definition(world.a)?.idMap == IDMap(hostStart: 5_000, count: 100))
            #expect(world.a.pool.content("web") == "files of 5000")
            if mode == .live { try world.expectOneCopy(on: world.a) }
        }
    }

    @Test func `snapshots are the instance's on the target, too`() async throws {
        try await run { world in
            _ = try await world.a.service.createSnapshot(SnapshotRequest(instance: web))
            world.a.pool.write("newer files of 5000", to: "web")
            _ = try await world.move()
            try await world.settled()
            #expect(world.b.pool.kept.withLock { $0["web"] } == ["snap0": "files of 9000"])
            #expect(world.b.pool.content("web") == "newer files of 9000")
            let known = try world.b.store().snapshots()
            #expect(known.map(\.definition.idMap?.hostStart) == [9_000])
        }
    }

    @Test func `files that cannot be given away end the move, and the source goes on`()
        async throws
    {
        try await run { world in
            world.b.pool.faults.fails("settleIDs", .noSpace)
            #expect(await world.failure()?.code == .noSpace)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(world.a.pool.content("web") == "files of 5000")
            world.b.pool.faults.set("settleIDs", nil)
            _ = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
        }
    }

    /// As long as it has not been taken there it is the source's, and nothing of it is left there.
    @Test func `a target killed while it gives files away has none afterwards`() async throws {
        try await run { world in
            try await hold("b settleIDs", in: world) { _, task in
                await world.b.kill()
                world.b.pool.faults.set("settleIDs", nil)
                try world.b.start()
                _ = try? await task.value
            }
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            _ = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.b.pool.content("web") == "files of 9000")
        }
    }

    @Test func `a plan says so before anything is touched`() async throws {
        try await run { world in
            let request = MoveRequest(name: web, remote: try RemoteName("b"))
            let preview = try await world.a.service.planMove(request)
            #expect(preview.plan?.idMap == IDMap(hostStart: 9_000, count: 100))
            #expect(world.b.pool.faults.count("expectIDs") == 0)
        }
    }
}
