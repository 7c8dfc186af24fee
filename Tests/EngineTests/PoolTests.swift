import Engine
import Logging
import MigrationCore
import Synchronization
import Testing

@Suite struct PoolTests {
    private let fast = PoolDefinition(name: "fast", kind: .btrfs, size: .gibibytes(1))

    private func open(
        _ store: StateStore, _ maker: FakePoolMaker
    ) async throws -> PoolRegistry {
        try await PoolRegistry.open(
            given: [], remembered: store, by: maker,
            logger: Logger(label: "pools") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test func `a pool is made, used, grown and removed`() async throws {
        try await World.run(hasInstance: false) { world in
            let service = try world.a.service
            try await service.createPool(fast)
            await #expect(throws: GodwitError(.nameTaken, "")) {
                try await service.createPool(fast)
            }
            let names = try await service.pools().map(\.definition.name)
            #expect(names == ["default", "fast"])
            try await service.growPool("fast", to: .gibibytes(2))
            #expect(try await service.pool("fast").definition.size == .gibibytes(2))
            try await service.deletePool("fast")
            await #expect(throws: GodwitError(.notFound, "")) {
                _ = try await service.pool("fast")
            }
            #expect(world.a.poolMaker.made.withLock { $0.isEmpty })
        }
    }

    @Test func `a pool that cannot be made leaves nothing`() async throws {
        try await World.run(hasInstance: false) { world in
            for step in ["create", "open"] {
                world.a.poolMaker.faults.fails(step, .toolFailed)
                await #expect(throws: GodwitError(.toolFailed, "")) {
                    try await world.a.service.createPool(fast)
                }
                world.a.poolMaker.faults.set(step, nil)
                #expect(world.a.poolMaker.made.withLock { $0.isEmpty })
                let left = try world.a.store().pools()
                #expect(left == [])
            }
        }
    }

    @Test func `what a dead daemon was making is removed by the next`() async throws {
        try await World.run(hasInstance: false) { world in
            let (maker, store) = (world.a.poolMaker, try world.a.store())
            _ = try await maker.create(fast)
            try store.save(PoolRecord(definition: fast, isWhole: false))
            // It is not forgotten before it is gone.
            maker.faults.fails("destroy", .busy)
            _ = try await open(store, maker)
            #expect(try store.pools().count == 1)
            maker.faults.set("destroy", nil)
            let registry = try await open(store, maker)
            #expect(throws: GodwitError(.notFound, "")) { _ = try registry.pool("fast") }
            #expect(maker.made.withLock { $0.isEmpty })
            let left = try store.pools()
            #expect(left == [])
        }
    }

    @Test func `a pool that cannot be opened tells why, and the others are there`() async throws {
        try await World.run(hasInstance: false) { world in
            let (maker, store) = (world.a.poolMaker, try world.a.store())
            let lost = PoolDefinition(name: "lost", kind: .lvm, source: "vg")
            try store.save(PoolRecord(definition: lost, isWhole: true))
            _ = try await maker.create(fast)
            try store.save(PoolRecord(definition: fast, isWhole: true))
            let registry = try await open(store, maker)
            #expect(throws: GodwitError(.notFound, "lost is not there")) {
                _ = try registry.pool("lost")
            }
            _ = try registry.pool("fast")
        }
    }

    @Test func `a pool with instances stays, and so does the daemon's own`() async throws {
        try await World.run { world in
            await #expect(throws: GodwitError(.badRequest, "")) {
                try await world.a.service.deletePool("default")
            }
            world.a.poolMaker.faults.fails("destroy", .busy)
            try await world.a.service.createPool(fast)
            await #expect(throws: GodwitError(.busy, "")) {
                try await world.a.service.deletePool("fast")
            }
            // What could not be removed can be used on.
            #expect(try await world.a.service.pool("fast").fault == nil)
            let kept = try world.a.store().pools()
            #expect(kept.map(\.isWhole) == [true])
            world.a.poolMaker.faults.set("destroy", nil)
            try await world.a.service.deletePool("fast")
            try await world.a.service.createPool(fast)
            var request = LaunchRequest(name: try InstanceName("other"), root: .path("/image"))
            request.pool = "fast"
            request.starts = false
            try? await world.a.service.launch(request)
            if try await world.a.service.pool("fast").instances == ["other"] {
                await #expect(throws: GodwitError(.busy, "")) {
                    try await world.a.service.deletePool("fast")
                }
            }
        }
    }

    @Test(arguments: ["", "-a", "a/b", "a b", String(repeating: "a", count: 64)])
    func `a name that cannot be a file's is refused`(name: String) async throws {
        try await World.run(hasInstance: false) { world in
            await #expect(throws: GodwitError(.badRequest, "")) {
                try await world.a.service.createPool(
                    PoolDefinition(name: name, kind: .directory))
            }
        }
    }
}
