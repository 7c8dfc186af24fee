import Engine
import GRDB
import MigrationCore
import Synchronization
import Testing

@Suite struct SnapshotTests {
    private func snapshot(_ text: String) throws -> SnapshotName { try SnapshotName(text) }

    /// What the host's pool and its memory have.
    private func left(_ node: Node) throws -> ([String], [String]) {
        let kept = node.pool.kept.withLock { $0["web"] ?? [:] }
        return (kept.keys.sorted(), try node.store().snapshots().map(\.name.text))
    }

    @Test func `snapshots are numbered, listed and shown with their instance`() async throws {
        try await World.run { world in
            let service = try world.a.service
            for name in [nil, "mine", nil, "snap7", nil] {
                _ = try await service.createSnapshot(
                    SnapshotRequest(instance: web, name: name.map(snapshot)))
            }
            let names = ["snap0", "mine", "snap1", "snap7", "snap8"]
            #expect(try await service.snapshots(of: web).map(\.snapshot.name.text) == names)
            let view = try await service.instance(web)
            #expect(view.snapshots.map(\.name.text) == names)
            #expect(view.snapshots.allSatisfy { !$0.isStateful && $0.expires == nil })
            let one = try await service.snapshot(snapshot("mine"), of: web)
            #expect(one.definition == view.definition)
            await #expect(throws: GodwitError(.nameTaken, "")) {
                _ = try await service.createSnapshot(
                    SnapshotRequest(instance: web, name: snapshot("mine")))
            }
            await #expect(throws: GodwitError(.notFound, "")) {
                _ = try await service.snapshot(snapshot("none"), of: web)
            }
        }
    }

    @Test func `one that runs stands still for the last changes alone, and they are in it`()
        async throws
    {
        try await World.run { world in
            let (service, faults) = (try world.a.service, world.a.driver.faults)
            faults.set("freeze", .hangs)
            async let made = service.createSnapshot(SnapshotRequest(instance: web))
            try await poll("the freeze begins") { faults.hasReached("freeze") }
            #expect(world.a.pool.faults.hasReached("copyAhead"))
            world.a.pool.write("the last change", to: "web")
            await #expect(throws: GodwitError(.busy, "")) {
                try await service.stop(web, force: true, grace: .zero)
            }
            faults.set("freeze", nil)
            let pause = try await made.snapshot.pauseMilliseconds
            #expect(pause != nil)
            #expect(world.a.driver.instances[web]?.status == .running)
            let content = world.a.pool.kept.withLock { $0["web"] }
            #expect(content == ["snap0": "the last change"])
        }
    }

    @Test(arguments: [InstanceStatus.running, .frozen, .stopped])
    func `an instance is left alone where it need not stand still`(
        status: InstanceStatus
    ) async throws {
        try await World.run { world in
            let service = try world.a.service
            switch status {
            case .running: world.a.pool.isAtOnce.withLock { $0 = true }
            case .frozen: try await service.freeze(web)
            case .stopped, .error: try await service.stop(web, force: true, grace: .zero)
            }
            let freezes = world.a.driver.faults.count("freeze")
            let made = try await service.createSnapshot(SnapshotRequest(instance: web))
            #expect(made.snapshot.pauseMilliseconds == nil)
            #expect(world.a.driver.faults.count("freeze") == freezes)
            #expect(!world.a.driver.faults.hasReached("thaw"))
            #expect(try await service.instance(web).observation.status == status)
            #expect(try left(world.a) == (["snap0"], ["snap0"]))
        }
    }

    @Test(arguments: ["copyAhead", "freeze", "createSnapshot", "flushSnapshot"])
    func `a snapshot that cannot be made leaves nothing, and the instance runs`(
        step: String
    ) async throws {
        try await World.run { world in
            let faults = step == "freeze" ? world.a.driver.faults : world.a.pool.faults
            faults.fails(step, .noSpace)
            await #expect(throws: GodwitError(.noSpace, "")) {
                _ = try await world.a.service.createSnapshot(SnapshotRequest(instance: web))
            }
            #expect(world.a.driver.instances[web]?.status == .running)
            #expect(try left(world.a) == ([], []))
            faults.set(step, nil)
            let made = try await world.a.service.createSnapshot(SnapshotRequest(instance: web))
            #expect(made.snapshot.name.text == "snap0")
        }
    }

    @Test(arguments: ["copyAhead", "createSnapshot", "flushSnapshot"])
    func `a daemon that is killed meanwhile leaves neither half a snapshot nor a frozen instance`(
        step: String
    ) async throws {
        try await World.run { world in
            world.a.pool.faults.set(step, .hangs)
            let service = try world.a.service
            world.a.run {
                _ = try? await service.createSnapshot(SnapshotRequest(instance: web))
            }
            try await poll("it is being made") { world.a.pool.faults.hasReached(step) }
            #expect(try await service.snapshots(of: web).isEmpty)
            // As a kill does it: nothing is undone.
            world.a.pool.faults.fails("deleteSnapshot", .toolFailed)
            world.a.driver.faults.fails("thaw", .toolFailed)
            await world.a.kill()
            for faults in [world.a.pool.faults, world.a.driver.faults] {
                for step in [step, "deleteSnapshot", "thaw"] { faults.set(step, nil) }
            }
            try world.a.start()
            try await poll("nothing is left") { try left(world.a) == ([], []) }
            #expect(world.a.driver.instances[web]?.status == .running)
            _ = try await world.a.service.createSnapshot(SnapshotRequest(instance: web))
        }
    }

    @Test(arguments: [InstanceStatus.running, .frozen, .stopped])
    func `a restore brings the files back and starts what ran`(status: InstanceStatus) async throws
    {
        try await World.run { world in
            let service = try world.a.service
            let made = try await service.createSnapshot(SnapshotRequest(instance: web))
            world.a.pool.write("later", to: "web")
            if status == .frozen { try await service.freeze(web) }
            if status == .stopped { try await service.stop(web, force: true, grace: .zero) }
            try await service.restoreSnapshot(made.snapshot.name, of: web, .ifKept)
            #expect(world.a.pool.content("web") == "files of /image")
            let now = try await service.instance(web).observation.status
            #expect(now == (status == .stopped ? .stopped : .running))
            if status != .stopped { #expect(world.a.driver.instances[web]?.memory == "fresh") }
            #expect(try await service.snapshots(of: web).count == 1)
        }
    }

    @Test func `a restore that fails starts the instance as it was`() async throws {
        try await World.run { world in
            let service = try world.a.service
            let made = try await service.createSnapshot(SnapshotRequest(instance: web))
            world.a.pool.write("later", to: "web")
            world.a.pool.faults.fails("restoreSnapshot", .noSpace)
            await #expect(throws: GodwitError(.noSpace, "")) {
                try await service.restoreSnapshot(made.snapshot.name, of: web, .ifKept)
            }
            #expect(world.a.driver.instances[web]?.status == .running)
            #expect(world.a.pool.content("web") == "later")
            await #expect(throws: GodwitError(.notFound, "")) {
                try await service.restoreSnapshot(snapshot("none"), of: web, .ifKept)
            }
            world.a.pool.faults.fails("copyBack", .noSpace)
            await #expect(throws: GodwitError(.noSpace, "")) {
                try await service.restoreSnapshot(made.snapshot.name, of: web, .ifKept)
            }
            // Only what can be restored is a reason to end it.
            #expect(world.a.driver.faults.count("stop") == 1)
        }
    }

    @Test func `a deletion is finished by whoever comes next`() async throws {
        try await World.run { world in
            let service = try world.a.service
            for _ in 0..<2 {
                _ = try await service.createSnapshot(SnapshotRequest(instance: web))
            }
            world.a.pool.faults.fails("deleteSnapshot", .toolFailed)
            for name in ["snap0", "snap1"] {
                await #expect(throws: GodwitError(.toolFailed, "")) {
                    try await service.deleteSnapshot(snapshot(name), of: web)
                }
            }
            // It is none any more, whatever is left of it.
            #expect(try await service.snapshots(of: web).isEmpty)
            world.a.pool.faults.set("deleteSnapshot", nil)
            try await service.deleteSnapshot(snapshot("snap0"), of: web)
            #expect(try left(world.a) == (["snap1"], ["snap1"]))
            await world.a.kill()
            try world.a.start()
            try await poll("nothing is left") { try left(world.a) == ([], []) }
            await #expect(throws: GodwitError(.notFound, "")) {
                try await world.a.service.deleteSnapshot(snapshot("snap0"), of: web)
            }
        }
    }

    @Test func `snapshots go with their instance when it is renamed or deleted`() async throws {
        try await World.run { world in
            let service = try world.a.service
            let made = try await service.createSnapshot(SnapshotRequest(instance: web))
            try await service.stop(web, force: true, grace: .zero)
            let shop = name("shop")
            try await service.rename(web, to: shop)
            #expect(try await service.snapshots(of: shop).map(\.snapshot) == [made.snapshot])
            world.a.pool.write("later", to: "shop")
            try await service.restoreSnapshot(made.snapshot.name, of: shop, .ifKept)
            #expect(world.a.pool.content("shop") == "files of /image")
            try await service.delete(shop, force: false)
            #expect(world.a.pool.kept.withLock { $0["shop"] } == nil)
            let rows = try world.a.store().snapshots()
            #expect(rows == [])
        }
    }

    @Test func `what has expired is deleted, also by a later daemon`() async throws {
        try await World.run { world in
            let service = try world.a.service
            let now = Timestamp.now.milliseconds
            await #expect(throws: GodwitError(.badRequest, "")) {
                _ = try await service.createSnapshot(
                    SnapshotRequest(instance: web, expires: Timestamp(milliseconds: now - 1)))
            }
            let due = [Timestamp(milliseconds: now + 300), Timestamp(milliseconds: now + 99_000)]
            for expires in due {
                let made = try await service.createSnapshot(
                    SnapshotRequest(instance: web, expires: expires))
                #expect(made.snapshot.expires == expires)
            }
            await world.a.kill()
            try world.a.start()
            try await poll("the first is gone") { try left(world.a) == (["snap1"], ["snap1"]) }
            #expect(try await world.a.service.removeExpiredSnapshots() == due[1])
            let isTold = world.a.events.contains { event in
                guard case .instance(web, .snapshotExpired, at: _) = event else { return false }
                return true
            }
            #expect(isTold)
        }
    }

    @Test func `an expiry can be changed while there is a snapshot`() async throws {
        try await World.run { world in
            let service = try world.a.service
            let made = try await service.createSnapshot(SnapshotRequest(instance: web))
            let soon = Timestamp(milliseconds: Timestamp.now.milliseconds + 99_000)
            for expires in [soon, nil] {
                try await service.setExpiry(expires, of: made.snapshot.name, of: web)
                let known = try await service.snapshots(of: web)
                #expect(known.map(\.snapshot.expires) == [expires])
            }
            await #expect(throws: GodwitError(.badRequest, "")) {
                try await service.setExpiry(
                    Timestamp(milliseconds: 1), of: made.snapshot.name, of: web)
            }
            await #expect(throws: GodwitError(.notFound, "")) {
                try await service.setExpiry(nil, of: snapshot("none"), of: web)
            }
        }
    }

    @Test func `an instance has so many snapshots and no more`() async throws {
        try await World.run { world in
            let service = try world.a.service
            _ = try await service.createSnapshot(SnapshotRequest(instance: web))
            // In one transaction: each has to reach the disk.
            try await DatabaseQueue(path: world.a.directory + "/godwit.db").write { database in
                try database.execute(
                    sql: """
                        WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
                        INSERT INTO snapshots SELECT instance, 's' || i, record FROM snapshots, n
                        """,
                    arguments: [Limit.snapshotsPerInstance])
            }
            await #expect(throws: GodwitError(.limitExceeded, "")) {
                _ = try await service.createSnapshot(
                    SnapshotRequest(instance: web, name: snapshot("more")))
            }
            #expect(world.a.driver.faults.count("freeze") == 1)
        }
    }
}
