import Engine
import MigrationCore
import Synchronization
import Testing

/// Named volumes on one host.
@Suite struct VolumeTests {
    @Test func `a volume is made, attached to what is stopped, and deleted when it is free`()
        async throws
    {
        try await World.run { world in
            let service = try world.a.service
            let data = try VolumeReference("data")
            try await service.createVolume(data)
            await #expect(throws: GodwitError(.nameTaken, "")) {
                try await service.createVolume(data)
            }
            let use = VolumeUse(instance: web, path: "/data", isReadOnly: true)
            await #expect(throws: GodwitError(.alreadyRunning, "")) {
                try await service.attachVolume(data, use)
            }
            try await service.stop(web, force: true, grace: .zero)
            try await service.attachVolume(data, use)
            #expect(world.a.pool.faults.hasReached("own /pool/custom_data by 5000"))
            let view = try #require(try await service.volumes(in: nil).first)
            #expect(view.uses == [use] && view.idMap == world.a.idMap)
            #expect(try await service.pool("default").volumes == ["data"])
            await #expect(throws: GodwitError(.badRequest, "")) {
                try await service.attachVolume(
                    data, VolumeUse(instance: web, path: "/twice", isReadOnly: true))
            }
            await #expect(throws: GodwitError(.busy, "")) {
                try await service.deleteVolume(data)
            }
            try await service.start(web, .ifKept)
            let mounts = world.a.driver.state.withLock { $0.mounts[web] }
            #expect(
                mounts == [
                    MountDefinition(
                        hostPath: "/pool/custom_data", path: "/data", isReadOnly: true,
                        volume: data)
                ])
            try await service.stop(web, force: true, grace: .zero)
            try await service.detachVolume(data, from: web)
            try await service.deleteVolume(data)
            #expect(world.a.pool.names == ["web"])
            #expect(try world.a.store().volumes() == [])
        }
    }

    @Test func `what is not there is told`() async throws {
        try await World.run { world in
            let service = try world.a.service
            let data = try VolumeReference("data")
            let calls: [() async throws -> Void] = [
                { _ = try await service.volume(data) },
                { try await service.deleteVolume(data) },
                { try await service.createVolume(try VolumeReference("fast/data")) },
                { _ = try await service.volumes(in: "fast") },
                { try await service.detachVolume(data, from: web) },
                {
                    let mount = MountDefinition(path: "/d", isReadOnly: false, volume: data)
                    try await service.launch(
                        LaunchRequest(name: name("db"), root: .path("/image"), mounts: [mount]))
                },
            ]
            for call in calls {
                await #expect(throws: GodwitError(.notFound, "")) { try await call() }
            }
            #expect(try await service.instances().count == 1)
        }
    }

    @Test func `files belong to one kind of ids`() async throws {
        try await World.run(hasInstance: false) { world in
            let service = try world.a.service
            let data = try VolumeReference("data")
            try await service.createVolume(data)
            let mount = MountDefinition(path: "/d", isReadOnly: false, volume: data)
            var request = LaunchRequest(
                name: name("db"), root: .path("/image"), mounts: [mount], starts: false)
            try await service.launch(request)
            request.name = name("db2")
            try await service.launch(request)
            (request.name, request.isPrivileged) = (name("db3"), true)
            let other = request
            await #expect(throws: GodwitError(.refused, "")) { try await service.launch(other) }
            #expect(world.a.pool.faults.count("own /pool/custom_data by 5000") == 1)
            let users = try await service.volume(data).uses.map(\.instance.text)
            #expect(users == ["db", "db2"])
        }
    }

    @Test func `a volume that cannot be made leaves nothing, nor does half a one`() async throws {
        try await World.run(hasInstance: false) { world in
            let data = try VolumeReference("data")
            world.a.pool.faults.fails("createVolume", .noSpace)
            await #expect(throws: GodwitError(.noSpace, "")) {
                try await world.a.service.createVolume(data)
            }
            #expect(try world.a.store().volumes() == [])
            world.a.pool.faults.set("createVolume", nil)
            await world.a.kill()
            let lost = try MigrationID(String(repeating: "0", count: 32))
            try world.a.store().insert(VolumeRecord(volume: data, created: .now))
            try world.a.store().insert(
                VolumeRecord(volume: VolumeReference("other"), created: .now, lock: lost))
            world.a.pool.write("half", to: data.stored)
            try world.a.start()
            let store = try world.a.store()
            try await poll("half volumes are gone") {
                try store.volumes().isEmpty && world.a.pool.names.isEmpty
            }
        }
    }

    @Test func `a snapshot has no state where it would lack files`() async throws {
        try await World.run(hasInstance: false) { world in
            let service = try world.a.service
            let data = try VolumeReference("data")
            try await service.createVolume(data)
            let mount = MountDefinition(path: "/d", isReadOnly: false, volume: data)
            try await service.launch(
                LaunchRequest(name: web, root: .path("/image"), mounts: [mount]))
            await #expect(throws: GodwitError(.refused, "")) {
                _ = try await service.createSnapshot(
                    SnapshotRequest(instance: web, isStateful: true))
            }
            _ = try await service.createSnapshot(SnapshotRequest(instance: web))
            #expect(try await service.snapshots(of: web).count == 1)
        }
    }

    @Test func `a pool is not deleted under its volumes`() async throws {
        try await World.run(hasInstance: false) { world in
            let service = try world.a.service
            try await service.createPool(PoolDefinition(name: "fast", kind: .directory))
            let data = try VolumeReference("fast/data")
            try await service.createVolume(data)
            await #expect(throws: GodwitError(.busy, "")) { try await service.deletePool("fast") }
            try await service.deleteVolume(data)
            try await service.deletePool("fast")
        }
    }
}
