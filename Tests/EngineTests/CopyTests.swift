import Engine
import MigrationCore
import Synchronization
import Testing

@Suite struct CopyTests {
    private let trial = name("trial")

    private func run(_ body: (World, HostService) async throws -> Void) async throws {
        try await World.run(hasInstance: false) { world in
            let bridge = InterfaceRequest(
                bridge: "br0", addresses: ["10.0.0.5/24"], gateways: ["10.0.0.1"])
            let service = try world.a.service
            try await service.launch(
                LaunchRequest(name: web, root: .path("/image"), interfaces: [bridge]))
            try await body(world, service)
        }
    }

    private func request(_ text: String) throws -> CopyRequest {
        CopyRequest(source: try SnapshotPath(text), newName: trial, addresses: [])
    }

    @Test(arguments: [InstanceStatus.running, .frozen, .stopped])
    func `a copy is a stopped instance with hardware addresses of its own`(
        status: InstanceStatus
    ) async throws {
        try await run { world, service in
            if status == .frozen { try await service.freeze(web) }
            if status == .stopped { try await service.stop(web, force: true, grace: .zero) }
            try await service.copy(request("web"))
            let (one, other) = try await (service.instance(web), service.instance(trial))
            #expect(one.observation.status == status)
            #expect(other.observation.status == .stopped)
            #expect(world.a.pool.content("trial") == "files of /image")
            let (had, has) = (one.definition.interfaces[0], other.definition.interfaces[0])
            #expect(had.hardwareAddress != has.hardwareAddress)
            #expect(has.addresses.isEmpty && has.gateways.isEmpty)
            #expect(other.definition.process == one.definition.process)
            #expect(other.definition.idMap == one.definition.idMap)
            // Nothing is left of how it was made.
            #expect(world.a.pool.kept.withLock { $0["web"] ?? [:] } == [:])
            #expect(try world.a.store().snapshots().isEmpty)
            try await service.start(trial, .ifKept)
            try await service.delete(trial, force: true)
            #expect(world.a.pool.content("web") == "files of /image")
        }
    }

    @Test func `a copy for another host is there, stopped, and nothing of it is here`()
        async throws
    {
        try await run { world, service in
            _ = try await service.createSnapshot(SnapshotRequest(instance: web))
            world.a.pool.write("later", to: "web")
            var wish = try request("web/snap0")
            wish.remote = try RemoteName("b")
            try await service.copy(wish)
            let there = try await world.b.service.instance(trial)
            #expect(there.observation.status == .stopped && there.snapshots.isEmpty)
            #expect(world.b.pool.content("trial") == "files of /image")
            #expect(try await service.instances().map(\.definition.name) == [web])
            // The name is taken there now.
            await #expect(throws: GodwitError(.refused, "")) { try await service.copy(wish) }
            try await poll("it is removed") {
                try world.a.store().instances().map(\.definition.name) == [web]
            }
            wish.remote = try RemoteName("nobody")
            await #expect(throws: GodwitError(.notFound, "")) { try await service.copy(wish) }
        }
    }

    @Test func `a daemon that is killed while a copy moves leaves none here`() async throws {
        try await run { world, service in
            world.a.pool.faults.set("sendWhileRunning", .hangs)
            var wish = try request("web")
            wish.remote = try RemoteName("b")
            let copy = wish
            world.a.run { try? await service.copy(copy) }
            try await poll("files travel") { world.a.pool.faults.hasReached("sendWhileRunning") }
            await world.a.kill()
            world.a.pool.faults.set("sendWhileRunning", nil)
            try world.a.start()
            try await poll("nothing is left") {
                let known = try world.a.store().instances().map(\.definition.name)
                return known == [web] && world.a.pool.names == ["web"]
            }
        }
    }

    @Test func `a copy of a snapshot is as that was`() async throws {
        try await run { world, service in
            _ = try await service.createSnapshot(SnapshotRequest(instance: web))
            world.a.pool.write("later", to: "web")
            let freezes = world.a.driver.faults.count("freeze")
            try await service.copy(request("web/snap0"))
            #expect(world.a.pool.content("trial") == "files of /image")
            #expect(world.a.driver.faults.count("freeze") == freezes)
            #expect(try await service.snapshots(of: trial).isEmpty)
            await #expect(throws: GodwitError(.nameTaken, "")) {
                try await service.copy(request("web/snap0"))
            }
            try await service.delete(trial, force: false)
            await #expect(throws: GodwitError(.notFound, "")) {
                try await service.copy(request("web/none"))
            }
            #expect(world.a.pool.names == ["web"])
        }
    }

    @Test func `a copy that fails, or whose daemon is killed, leaves nothing`() async throws {
        try await run { world, service in
            world.a.pool.faults.fails("copyTree", .noSpace)
            await #expect(throws: GodwitError(.noSpace, "")) {
                try await service.copy(request("web"))
            }
            #expect(world.a.pool.names == ["web"])
            #expect(try world.a.store().snapshots().isEmpty)
            world.a.pool.faults.set("copyTree", .hangs)
            world.a.run { try? await service.copy(self.request("web")) }
            try await poll("it is being copied") {
                world.a.pool.faults.count("copyTree") == 2
            }
            #expect(try await service.instances().map(\.definition.name) == [web])
            world.a.pool.faults.fails("deleteVolume", .toolFailed)
            world.a.pool.faults.fails("deleteSnapshot", .toolFailed)
            await world.a.kill()
            for step in ["copyTree", "deleteVolume", "deleteSnapshot"] {
                world.a.pool.faults.set(step, nil)
            }
            try world.a.start()
            let store = try world.a.store()
            try await poll("nothing is left") {
                try store.instances().count == 1 && store.snapshots().isEmpty
                    && world.a.pool.names == ["web"]
            }
            #expect(world.a.driver.instances[web]?.status == .running)
        }
    }

    @Test func `an address that is none makes no copy`() async throws {
        try await run { world, service in
            var request = try request("web")
            request.addresses = ["nonsense"]
            await #expect(throws: GodwitError(.badRequest, "")) { try await service.copy(request) }
            #expect(world.a.pool.names == ["web"])
        }
    }
}
