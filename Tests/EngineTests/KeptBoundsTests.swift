import Engine
import MigrationCore
import Synchronization
import Testing

/// How long copies stay, and for what they go.
@Suite struct KeptBoundsTests {
    private func withCopy(
        seconds: UInt32 = 100, _ body: (World) async throws -> Void
    ) async throws {
        try await World.run { world in
            _ = try await world.move { $0.keepSeconds = seconds }
            try await world.settled()
            try await body(world)
        }
    }

    @Test func `it goes when its time is over`() async throws {
        try await withCopy(seconds: 1) { world in
            // Its time may be over before anybody looks.
            #expect(world.a.pool.faults.hasReached("keepVolume"))
            try await poll("it is gone") { world.a.copies.isEmpty }
            try await poll("so is its record") { try world.a.records().isEmpty }
        }
    }

    @Test(arguments: [0, Limit.keptSeconds + 1])
    func `times that cannot be are refused`(seconds: UInt32) async throws {
        try await World.run { world in
            #expect(await world.failure { $0.keepSeconds = seconds }?.code == .badRequest)
        }
    }

    @Test func `it goes by hand, and with its pool`() async throws {
        try await withCopy { world in
            let removed = try await world.a.service.prunePool("default")
            #expect(removed.map(\.name) == [web] && world.a.copies.isEmpty)
            #expect(try await world.a.service.prunePool("default") == [])
            await #expect(throws: GodwitError(.notFound, "")) {
                _ = try await world.a.service.prunePool("none")
            }
        }
    }

    @Test func `copies go, oldest first, as their pool fills up`() async throws {
        try await withCopy { world in
            try await world.a.service.launch(LaunchRequest(name: name("shop"), root: .path("/x")))
            _ = try await world.move { ($0.name, $0.keepSeconds) = (name("shop"), 100) }
            try await world.settled()
            #expect(world.a.copies.count == 2)
            world.a.pool.available.withLock { $0 = ByteCount(bytes: 39) }
            _ = try await world.a.service.removeExpiredCopies()
            #expect(try world.a.records().map(\.copy.name) == [name("shop")])
            world.a.pool.available.withLock { $0 = ByteCount(bytes: 19) }
            _ = try await world.a.service.removeExpiredCopies()
            #expect(world.a.copies.isEmpty)
        }
    }

    @Test func `none is made where there is no room besides`() async throws {
        try await World.run { world in
            world.a.pool.available.withLock { $0 = ByteCount(bytes: 19) }
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.copies.isEmpty)
        }
    }

    @Test func `they make room for what arrives, and count as such`() async throws {
        try await withCopy { world in
            let facts = try await world.a.service.information().facts.pools
            #expect(facts.map(\.reclaimable) == [ByteCount(bytes: 20)])
            try await world.b.service.launch(LaunchRequest(name: name("shop"), root: .path("/x")))
            world.a.pool.available.withLock { $0 = .mebibytes(60) }
            _ = try await world.home { $0.name = name("shop") }
            #expect(world.a.copies.isEmpty)
            #expect(world.a.pool.names == ["shop"])
        }
    }

    @Test func `a base goes when its time is over, and with its instance`() async throws {
        try await World.run { world in
            world.b.pool.hasBases.withLock { $0 = true }
            _ = try await world.move { $0.keepSeconds = 1 }
            try await world.settled()
            // Its time may be over before anybody looks.
            try await poll("it is kept") { world.b.pool.faults.hasReached("keepBase") }
            try await poll("it is gone") { world.b.pool.bases.withLock { $0.isEmpty } }
            try await poll("so is its record") { try world.b.records().isEmpty }
            _ = try await world.home()
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            #expect(try world.b.records().map(\.copy.kind) == [.base])
            try await world.b.service.delete(web, force: true)
            #expect(try world.b.records().isEmpty)
        }
    }
}

/// Snapshots of an instance that comes home.
@Suite struct KeptSnapshotTests {
    @Test func `only those travel that are not there, and what was deleted goes there too`()
        async throws
    {
        try await World.run { world in
            for content in ["first", "second", "third"] {
                world.a.pool.write(content, to: "web")
                _ = try await world.a.service.createSnapshot(SnapshotRequest(instance: web))
            }
            world.a.pool.write("now", to: "web")
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            #expect(world.a.copies.map(\.snapshots.count) == [3])
            try await world.b.service.deleteSnapshot(SnapshotName("snap0"), of: web)
            // Another one of the same name.
            try await world.b.service.deleteSnapshot(SnapshotName("snap2"), of: web)
            world.b.pool.write("fourth", to: "web")
            for name in ["snap2", "snap3"] {
                _ = try await world.b.service.createSnapshot(
                    SnapshotRequest(instance: web, name: SnapshotName(name)))
            }
            let report = try await world.home()
            #expect(world.b.pool.faults.count("sendSnapshot") == 2)
            #expect(report.bytes["snapshots"] == 12)
            let kept = world.a.pool.kept.withLock { $0["web"] }
            #expect(kept == ["snap1": "second", "snap2": "fourth", "snap3": "fourth"])
            #expect(try await world.a.service.snapshots(of: web).count == 3)
        }
    }

    @Test func `states are kept with them, and do not travel again`() async throws {
        try await World.run { world in
            let request = SnapshotRequest(instance: web, isStateful: true)
            _ = try await world.a.service.createSnapshot(request)
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            #expect(world.a.states.count == 1 && world.b.states.count == 1)
            // The next daemon knows them.
            await world.a.kill()
            try world.a.start()
            _ = try await world.home()
            #expect(world.a.states.count == 1 && world.b.states.count == 1)
            #expect(world.a.states.faults.count("write") == 1)
            let snapshot = try #require(try world.a.store().snapshots(of: web).first)
            #expect(snapshot.state?.phase == .kept)
            try await world.a.service.restoreSnapshot(snapshot.name, of: web, .always)
            #expect(world.a.driver.instances[web]?.memory == "counted to 7")
            _ = try await world.b.service.prunePool("default")
            #expect(world.b.states.count == 0)
        }
    }

    @Test func `a move home that fails leaves their states kept`() async throws {
        try await World.run { world in
            let request = SnapshotRequest(instance: web, isStateful: true)
            _ = try await world.a.service.createSnapshot(request)
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            world.a.driver.faults.fails("restore", .toolFailed)
            await #expect(throws: GodwitError.self) { try await world.home() }
            try await world.settled()
            #expect(world.a.states.count == 1)
            world.a.driver.faults.set("restore", nil)
            _ = try await world.home()
            #expect(world.a.states.count == 1 && world.a.states.faults.count("write") == 1)
        }
    }

    @Test func `those that are given up are not kept`() async throws {
        try await World.run { world in
            _ = try await world.a.service.createSnapshot(
                SnapshotRequest(instance: web, isStateful: true))
            #expect(world.a.states.count == 1)
            _ = try await world.move { ($0.keepSeconds, $0.dropsSnapshots) = (100, true) }
            try await world.settled()
            #expect(world.a.copies.map(\.snapshots) == [[:]])
            #expect(world.a.states.count == 0)
        }
    }
}
