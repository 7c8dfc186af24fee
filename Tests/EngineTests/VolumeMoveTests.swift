import Engine
import MigrationCore
import Synchronization
import Testing

/// What instances mount, when they move.
@Suite struct VolumeMoveTests {
    private let data: VolumeReference

    init() throws { data = try VolumeReference("data") }

    /// `web` runs on a, with a volume at /data that has `records` in it.
    private func withVolume(_ body: (World) async throws -> Void) async throws {
        try await World.run(hasInstance: false) { world in
            try await world.a.service.createVolume(data)
            try await launch(web, in: world)
            world.a.pool.write("records", to: data.stored)
            world.a.driver.state.withLock { $0.instances[web]?.memory = "counted to 7" }
            try await body(world)
        }
    }

    private func launch(_ name: InstanceName, in world: World) async throws {
        let mount = MountDefinition(path: "/data", isReadOnly: false, volume: data)
        try await world.a.service.launch(
            LaunchRequest(name: name, root: .path("/image"), mounts: [mount]))
    }

    /// The volume is with the instance, and only there.
    private func expectTogether(on node: Node?, in world: World, _ comment: Comment? = nil) throws {
        try world.expectOneCopy(on: node, comment)
        for node in [world.a, world.b] {
            let isHere = !node.driver.instances.isEmpty
            #expect(node.pool.content(data.stored) == (isHere ? "records" : nil), comment)
            #expect(try node.store().volumes().count == (isHere ? 1 : 0), comment)
        }
    }

    @Test func `a volume travels with its instance and leaves nothing behind`() async throws {
        try await withVolume { world in
            world.a.driver.state.withLock { $0.mapped = ["/mapped", "/data/a/b", "/database"] }
            let report = try await world.move()
            try await world.settled()
            try expectTogether(on: world.b, in: world)
            #expect(report.mounts == ["/data": .move])
            let sent = UInt64("files of /image".utf8.count + "records".utf8.count)
            #expect(report.bytes["volume"] == sent)
            #expect(try await world.b.service.migration(report.id).mounts == ["/data": .move])
            let mapped = world.a.pool.mapped.withLock { $0 }
            #expect(mapped == ["web": ["/mapped", "/database"], data.stored: ["/a/b"]])
            let mount = world.b.driver.state.withLock { $0.mounts[web]?.first }
            #expect(mount?.hostPath == "/pool/custom_data")
            let use = VolumeUse(instance: web, path: "/data", isReadOnly: false)
            let view = try await world.b.service.volume(data)
            #expect(view.uses == [use] && view.idMap == world.a.idMap)
            _ = try await world.b.service.move(
                MoveRequest(name: web, remote: try RemoteName("a")), started: { _ in },
                progress: { _ in })
            try await world.settled()
            try expectTogether(on: world.a, in: world)
        }
    }

    @Test func `a volume goes along under another name of its instance, cold as well`()
        async throws
    {
        try await withVolume { world in
            _ = try await world.move {
                ($0.mode, $0.newName) = (.cold, name("shop"))
            }
            try await world.settled()
            #expect(world.b.pool.content(data.stored) == "records")
            #expect(world.b.pool.names == ["shop", data.stored])
            #expect(world.a.pool.names == [])
        }
    }

    @Test func `what is kept of the instance keeps its volume`() async throws {
        try await withVolume { world in
            _ = try await world.move { $0.keepsDefinition = true }
            try await world.settled()
            for node in [world.a, world.b] {
                #expect(node.pool.content(data.stored) == "records")
                #expect(try await node.service.volume(data).uses.count == 1)
            }
        }
    }

    @Test func `a cold move without the volume leaves it, free, on the source`() async throws {
        try await withVolume { world in
            let report = try await world.move {
                ($0.mode, $0.mounts) = (.cold, ["/data": .skip])
            }
            try await world.settled()
            #expect(report.mounts == ["/data": .skip])
            #expect(world.a.pool.content(data.stored) == "records")
            #expect(try await world.a.service.volume(data).uses == [])
            #expect(world.b.pool.names == ["web"])
            #expect(try await world.b.service.instance(web).definition.mounts == [])
            try await world.a.service.deleteVolume(data)
        }
    }

    @Test func `what cannot be is refused before anything is touched`() async throws {
        try await withVolume { world in
            let live = await world.failure { $0.mounts = ["/data": .skip] }
            #expect(live?.findings.map(\.check) == ["mounts"])
            #expect(await world.failure { $0.mounts = ["/none": .skip] }?.code == .badRequest)
            try await launch(name("db"), in: world)
            let shared = await world.failure()
            #expect(shared?.findings.map(\.check) == ["named-volumes"])
            try await world.a.service.delete(name("db"), force: true)
            try await world.b.service.createVolume(data)
            let taken = await world.failure()
            #expect(taken?.findings.map(\.check) == ["named-volumes"])
            try await world.b.service.deleteVolume(data)
            world.b.pool.write("a stranger's", to: data.stored)
            #expect(await world.failure()?.code == .nameTaken)
            try await world.settled()
            #expect(world.b.pool.names == [data.stored])
            world.b.pool.volumes.withLock { $0 = [:] }
            try expectTogether(on: world.a, in: world)
            #expect(world.a.driver.faults.count("freeze") == 0)
        }
    }

    @Test(arguments: [
        "createVolume", "receiveWhileRunning", "receiveAfterCheckpoint", "restore",
    ])
    func `a move that fails leaves all at the source and nothing on the target`(step: String)
        async throws
    {
        try await withVolume { world in
            world.b.pool.faults.fails(step, .noSpace)
            world.b.driver.faults.fails(step, .restoreFailed)
            #expect(await world.failure() != nil)
            try await world.settled()
            try expectTogether(on: world.a, in: world)
        }
    }

    @Test func `a volume that arrives otherwise than it left ends the move`() async throws {
        try await withVolume { world in
            try await world.b.pool.faults.pass("corrupt")
            #expect(await world.failure()?.code == .volumeDiffers)
            try await world.settled()
            try expectTogether(on: world.a, in: world)
        }
    }

    @Test func `a volume is not given to another instance while it leaves`() async throws {
        try await withVolume { world in
            world.b.pool.faults.set("receiveWhileRunning", .hangs)
            let (id, task) = try await world.begin()
            try await poll("files travel") { world.b.pool.faults.hasReached("receiveWhileRunning") }
            await #expect(throws: GodwitError(.busy, "")) {
                try await launch(name("db"), in: world)
            }
            await #expect(throws: GodwitError(.busy, "")) {
                try await world.a.service.deleteVolume(data)
            }
            await #expect(throws: GodwitError(.notFound, "")) {
                _ = try await world.b.service.volume(data)
            }
            try await world.a.service.cancelMigration(id)
            _ = await task.result
            world.b.pool.faults.set("receiveWhileRunning", nil)
            try await world.settled()
            try expectTogether(on: world.a, in: world)
        }
    }

    @Test(arguments: ["a", "b"])
    func `instance and volume are on one host whenever a daemon is killed`(victim: String)
        async throws
    {
        var count = 0
        try await withVolume { world in
            _ = try await world.move()
            try await world.settled()
            count = (victim == "a" ? world.a : world.b).passed.count
        }
        let bound = count
        #expect(bound > 12)
        try await withThrowingTaskGroup { group in
            for number in 0..<bound {
                group.addTask {
                    try await withVolume { try await dies(victim, at: number, in: $0) }
                }
            }
            try await group.waitForAll()
        }
    }

    private func dies(_ victim: String, at number: Int, in world: World) async throws {
        let node = victim == "a" ? world.a : world.b
        node.crash(at: number)
        let (_, task) = try await world.begin()
        try await poll("\(node.name) reaches action \(number)") { node.hasCrashed }
        let point = node.passed.last.map(String.init(describing:)) ?? ""
        await node.kill()
        try node.start()
        _ = await task.result
        try await world.settled()
        try await poll("nothing is left half") {
            try [world.a, world.b].allSatisfy { node in
                try node.store().volumes().allSatisfy { $0.isWhole && $0.lock == nil }
            }
        }
        try expectTogether(on: nil, in: world, "\(victim) at \(number): \(point)")
    }
}
