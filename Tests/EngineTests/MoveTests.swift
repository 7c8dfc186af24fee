import Engine
import MigrationCore
import Testing

@Suite struct MoveTests {
    @Test func `a running instance moves with its memory and its files`() async throws {
        try await World.run { world in
            let report = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.b.pool.content("web") == "files of /image")
            #expect(report.status == .succeeded)
            #expect(report.phases.map(\.phase) == Phase.allCases)
            #expect(report.downtimeMilliseconds != nil)
            #expect(
                Set(report.downtime.keys) == [
                    "freeze", "checkpoint", "images", "delta", "digest", "transfer", "restore",
                    "network",
                ]
            )
            #expect(Set(report.bytes.keys) == ["volume", "delta", "checkpoint"])
            #expect(report.statistics == ["pages": 5])
            let other = try await world.b.service.migration(report.id)
            #expect(other.side == .target)
            #expect(other.status == .succeeded)
            #expect(
                world.network.log
                    == ["offer", "accepted", "arrived", "custody", "finished"]
                    + ["acknowledged", "closed"]
            )
        }
    }

    @Test func `an instance moves there and back again`() async throws {
        try await World.run { world in
            _ = try await world.move()
            try await world.settled()
            let request = MoveRequest(name: web, remote: try RemoteName("a"))
            _ = try await world.b.service.move(request, started: { _ in }, progress: { _ in })
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(try await world.a.service.migrations(of: web).count == 2)
        }
    }

    @Test func `a cold move stops the instance here and starts it there`() async throws {
        try await World.run { world in
            let report = try await world.move { $0.mode = .cold }
            try await world.settled()
            #expect(world.a.driver.instances.isEmpty)
            #expect(world.b.driver.instances[web]?.status == .running)
            #expect(world.b.driver.instances[web]?.memory == "fresh")
            #expect(report.downtimeMilliseconds == nil)
            #expect(world.a.driver.faults.count("freeze") == 0)
        }
    }

    @Test func `a stopped instance moves cold and stays stopped`() async throws {
        try await World.run { world in
            try await world.a.service.stop(web, force: true, grace: .zero)
            let report = try await world.move()
            try await world.settled()
            #expect(report.mode == .cold)
            #expect(world.running == 0)
            #expect(try world.b.store().instance(web)?.isWanted == false)
            #expect(try world.a.store().instances().isEmpty)
            #expect(world.b.pool.content("web") == "files of /image")
        }
    }

    @Test func `an instance can get another name on the way`() async throws {
        try await World.run { world in
            let report = try await world.move { $0.newName = name("shop") }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(report.newName == name("shop"))
            #expect(world.b.driver.instances.keys.map(\.text) == ["shop"])
            #expect(world.b.pool.names == ["shop"])
            #expect(try await world.a.service.migrations(of: name("shop")).count == 1)
        }
    }

    @Test func `the source can keep the stopped definition and its volume`() async throws {
        try await World.run { world in
            _ = try await world.move { $0.keepsDefinition = true }
            try await world.settled()
            #expect(world.running == 1)
            let kept = try #require(try world.a.store().instance(web))
            #expect(!kept.isWanted)
            #expect(kept.lock == nil)
            #expect(world.a.pool.content("web") == "files of /image")
            #expect(world.a.driver.faults.count("remove") == 0)
        }
    }

    @Test func `a paused move leaves the instance frozen on the target`() async throws {
        try await World.run { world in
            _ = try await world.move { $0.isPaused = true }
            try await world.settled()
            #expect(world.b.driver.instances[web]?.status == .frozen)
            #expect(world.a.driver.instances.isEmpty)
            try await world.b.service.unfreeze(web)
            try world.expectOneCopy(on: world.b)
        }
    }

    @Test func `a dry run shows the plan and touches nothing`() async throws {
        try await World.run { world in
            let request = MoveRequest(name: web, remote: try RemoteName("b"))
            let preview = try await world.a.service.planMove(request)
            #expect(
                preview.plan?.steps == [
                    .sendVolume("web", .rsync), .freeze, .sendDelta("web", .rsync),
                    .sendCheckpoint, .handOver, .restore, .endOriginal,
                ]
            )
            #expect(preview.findings.isEmpty)
            try world.expectOneCopy(on: world.a)
            #expect(try await world.b.service.migrations(of: nil).isEmpty)
            #expect(try await world.a.service.migrations(of: nil).isEmpty)
        }
    }

    @Test func `what the checks refuse is refused before anything is touched`() async throws {
        try await World.run { world in
            try await world.b.service.launch(LaunchRequest(name: web, root: .path("/other")))
            let request = MoveRequest(name: web, remote: try RemoteName("b"))
            let preview = try await world.a.service.planMove(request)
            #expect(preview.plan == nil)
            #expect(preview.findings.map(\.check) == ["name"])
            let error = await world.failure()
            #expect(error?.code == .refused)
            #expect(error?.findings.map(\.check) == ["name"])
            try await world.settled()
            #expect(world.a.driver.faults.count("freeze") == 0)
            #expect(world.b.pool.content("web") == "files of /other")
            #expect(world.b.driver.instances[web]?.status == .running)
        }
    }

    @Test func `a volume of that name on the target is refused and not removed`() async throws {
        try await World.run { world in
            world.b.pool.write("a stranger's", to: "web")
            #expect(await world.failure()?.code == .nameTaken)
            try await world.settled()
            #expect(world.b.pool.content("web") == "a stranger's")
            #expect(world.b.driver.faults.count("discardRestore") <= 1)
            #expect(world.a.driver.instances[web]?.status == .running)
        }
    }

    @Test func `the next move after a failed one succeeds`() async throws {
        try await World.run { world in
            world.b.driver.faults.fails("restore", .restoreFailed)
            #expect(await world.failure()?.code == .restoreFailed)
            world.b.driver.faults.set("restore", nil)
            try await world.settled()
            _ = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
        }
    }

    @Test func `a frozen instance and a wish that does not fit are refused`() async throws {
        try await World.run { world in
            try await world.a.service.freeze(web)
            #expect(await world.failure()?.code == .notRunning)
            try await world.a.service.stop(web, force: false, grace: .zero)
            #expect(await world.failure { $0.mode = .live }?.code == .notRunning)
            #expect(await world.failure { $0.name = name("other") }?.code == .notFound)
            let stranger = try RemoteName("c")
            #expect(await world.failure { $0.remote = stranger }?.code == .notFound)
        }
    }
}
