import Engine
import MigrationCore
import Testing

/// Snapshots that are taken by themselves.
@Suite struct SnapshotScheduleTests {
    /// A moment within a minute, and one in the next.
    private let before = Timestamp(milliseconds: 1_800_000_030_000)
    private let after = Timestamp(milliseconds: 1_800_000_090_000)

    private func schedule(_ times: String = "* * * * *") throws -> SnapshotSchedule {
        SnapshotSchedule(times: try CronTimes(times), keptSeconds: 600)
    }

    private func names(_ service: HostService) async throws -> [String] {
        try await service.snapshots(of: web).map(\.snapshot.name.text)
    }

    @Test func `one is taken when a minute begins that is due, and expires`() async throws {
        try await World.run { world in
            let service = try world.a.service
            try await service.setSchedule(schedule(), of: web)
            let within = Timestamp(milliseconds: before.milliseconds + 9_000)
            #expect(await service.takeScheduledSnapshots(after: before, until: within) == [])
            #expect(try await names(service) == [])
            #expect(await service.takeScheduledSnapshots(after: before, until: after) == [])
            #expect(try await names(service) == ["snap0"])
            let expires = try await service.snapshots(of: web).first?.snapshot.expires
            let left = (expires?.milliseconds ?? 0) - Timestamp.now.milliseconds
            #expect(540_000...600_000 ~= left)
            // However many minutes have passed.
            let late = Timestamp(milliseconds: after.milliseconds + 100 * 60_000)
            _ = await service.takeScheduledSnapshots(after: after, until: late)
            #expect(try await names(service) == ["snap0", "snap1"])
        }
    }

    @Test func `nothing is taken of who does not run, has no schedule or another one`()
        async throws
    {
        try await World.run { world in
            let service = try world.a.service
            _ = await service.takeScheduledSnapshots(after: before, until: after)
            try await service.setSchedule(schedule("0 0 30 2 *"), of: web)
            _ = await service.takeScheduledSnapshots(after: before, until: after)
            try await service.setSchedule(schedule(), of: web)
            try await service.stop(web, force: true, grace: .zero)
            _ = await service.takeScheduledSnapshots(after: before, until: after)
            try await service.start(web, .never)
            try await service.setSchedule(nil, of: web)
            _ = await service.takeScheduledSnapshots(after: before, until: after)
            #expect(try await names(service) == [])
        }
    }

    @Test func `one that is due waits for the end of what has the instance`() async throws {
        try await World.run { world in
            let service = try world.a.service
            try await service.setSchedule(schedule(), of: web)
            world.a.pool.faults.set("copyAhead", .hangs)
            async let other = service.createSnapshot(SnapshotRequest(instance: web))
            try await poll("another is made") { world.a.pool.faults.hasReached("copyAhead") }
            let left = await service.takeScheduledSnapshots(after: before, until: after)
            #expect(left == [web])
            world.a.pool.faults.set("copyAhead", nil)
            _ = try await other
            let rest = await service.takeScheduledSnapshots(
                after: after, until: after, due: left)
            #expect(rest == [])
            #expect(try await names(service) == ["snap0", "snap1"])
        }
    }

    @Test func `one that cannot be made keeps nothing else from being made`() async throws {
        try await World.run { world in
            let service = try world.a.service
            try await service.setSchedule(schedule(), of: web)
            world.a.pool.faults.fails("createSnapshot", .noSpace)
            #expect(await service.takeScheduledSnapshots(after: before, until: after) == [])
            world.a.pool.faults.set("createSnapshot", nil)
            _ = await service.takeScheduledSnapshots(after: before, until: after)
            #expect(try await names(service) == ["snap0"])
        }
    }

    @Test func `a schedule goes along with a move`() async throws {
        try await World.run { world in
            try await world.a.service.setSchedule(schedule(), of: web)
            _ = try await world.move()
            let moved = try await world.b.service.instance(web).definition.snapshotSchedule
            let wanted = try schedule()
            #expect(moved == wanted)
            _ = try await world.b.service.takeScheduledSnapshots(after: before, until: after)
            // More than one where the daemon's own look comes in between.
            #expect(try await names(world.b.service).contains("snap0"))
        }
    }
}
