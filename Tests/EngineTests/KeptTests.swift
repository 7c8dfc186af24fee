import Engine
import MigrationCore
import Synchronization
import Testing

/// Copies that stay where an instance was, and its way home.
@Suite struct KeptTests {
    @Test func `a copy stays after a move, is no volume, and nothing runs from it`() async throws {
        try await World.run { world in
            world.a.pool.write("before", to: "web")
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.copies == [FakeCopy(content: "before", snapshots: [:])])
            let shown = try #require(try await world.a.service.pool("default").kept)
            #expect(shown.map(\.name) == [web] && shown[0].used == ByteCount(bytes: 20))
            #expect(shown[0].expires.milliseconds - shown[0].kept.milliseconds > 99_000)
            await #expect(throws: GodwitError(.notFound, "")) {
                try await world.a.service.start(web, .ifKept)
            }
            // The name is free.
            try await world.a.service.launch(LaunchRequest(name: web, root: .path("/new")))
            #expect(world.a.copies.count == 1)
        }
    }

    @Test(arguments: [MoveOptions.Mode.live, .cold])
    func `it begins with the copy when it comes home`(mode: MoveOptions.Mode) async throws {
        try await World.run { world in
            world.a.pool.write("before", to: "web")
            _ = try await world.move { ($0.keepSeconds, $0.mode) = (100, mode) }
            try await world.settled()
            #expect(world.a.starts == [.empty])
            #expect(world.b.pool.faults.hasReached("noteArrival digest of before"))
            world.b.pool.write("after", to: "web")
            _ = try await world.home { $0.mode = mode }
            #expect(world.b.starts == [.tree("digest of before")])
            try world.expectOneCopy(on: world.a)
            #expect(world.a.pool.content("web") == "after")
            #expect(world.a.copies.isEmpty)
            #expect(world.b.copies.map(\.content) == ["after"])
            #expect(try world.a.records().isEmpty && world.b.records().count == 1)
        }
    }

    @Test func `who wants no copy has none`() async throws {
        try await World.run { world in
            _ = try await world.move()
            try await world.settled()
            #expect(world.a.copies.isEmpty)
            #expect(try world.a.records().isEmpty)
            _ = try await world.home()
            #expect(world.a.starts == [.empty] && world.b.starts == [.empty])
        }
    }

    @Test func `it is the instance's whatever that is called, and no other's`() async throws {
        try await World.run { world in
            let (shop, store) = (name("shop"), name("store"))
            _ = try await world.move { ($0.mode, $0.keepSeconds) = (.cold, 100) }
            try await world.settled()
            try await world.b.service.stop(web, force: true, grace: .zero)
            try await world.b.service.rename(web, to: store)
            let request = LaunchRequest(name: web, root: .path("/x"), starts: false)
            try await world.b.service.launch(request)
            _ = try await world.home()
            #expect(world.a.copies.count == 1 && world.b.starts == [.empty])
            _ = try await world.home { ($0.name, $0.newName) = (store, shop) }
            #expect(world.a.copies.isEmpty && world.b.starts.last != .empty)
            #expect(world.a.pool.names == ["web", "shop"])
        }
    }

    @Test func `a copy that is damaged is found, and all travels`() async throws {
        try await World.run { world in
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            world.a.pool.copies.withLock { copies in
                for id in copies.keys { copies[id]?.content = "damaged" }
            }
            _ = try await world.home()
            #expect(world.b.starts == [.empty])
            try world.expectOneCopy(on: world.a)
            #expect(world.a.copies.isEmpty)
            #expect(try world.a.records().isEmpty)
        }
    }

    @Test func `a copy that somebody has removed is not missed`() async throws {
        try await World.run { world in
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            world.a.pool.copies.withLock { $0 = [:] }
            _ = try await world.home()
            #expect(world.b.starts == [.empty])
            try world.expectOneCopy(on: world.a)
            #expect(try world.a.records().isEmpty)
        }
    }

    @Test(arguments: [
        "a takeKept", "a keptTaken", "a receiveWhileRunning", "a prepareRestore", "a restore",
        "b sendWhileRunning", "b sendCheckpoint",
    ])
    func `a move home that fails leaves it kept, and nothing else`(step: String) async throws {
        try await World.run { world in
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            let words = step.split(separator: " ").map(String.init)
            let node = words[0] == "a" ? world.a : world.b
            for faults in [node.pool.faults, node.driver.faults] {
                faults.fails(words[1], .toolFailed)
            }
            await #expect(throws: GodwitError.self) { try await world.home() }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.copies.count == 1)
            #expect(try world.a.records().map(\.user) == [nil])
            for faults in [node.pool.faults, node.driver.faults] { faults.set(words[1], nil) }
            _ = try await world.home()
            #expect(world.b.starts.last != .empty)
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `one that made a false volume is not used again`() async throws {
        try await World.run { world in
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            try await world.a.pool.faults.pass("corrupt")
            await #expect(throws: GodwitError(.volumeDiffers, "")) { try await world.home() }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.copies.isEmpty)
            #expect(try world.a.records().isEmpty)
        }
    }

    @Test(arguments: [MoveOptions.Mode.live, .cold], ["a", "b"])
    func `one copy runs, and at most one is kept, whenever a daemon is killed on the way home`(
        mode: MoveOptions.Mode, victim: String
    ) async throws {
        for number in 0..<40 {
            var isOver = false
            try await World.run { world in
                _ = try await world.move { $0.keepSeconds = 100 }
                try await world.settled()
                isOver = try await !dies(victim, at: number, mode, in: world)
            }
            guard !isOver else {
                #expect(number > 12)
                return
            }
        }
        Issue.record("a move home never ends")
    }

    /// - Returns: false if it had moved before.
    private func dies(
        _ victim: String, at number: Int, _ mode: MoveOptions.Mode, in world: World
    ) async throws -> Bool {
        let node = victim == "b" ? world.b : world.a
        node.crash(at: node.passed.count + number)
        let service = try world.b.service
        var request = MoveRequest(name: web, remote: try RemoteName("a"), keepSeconds: 100)
        request.mode = mode
        let task = Task { [request] in
            try await service.move(request, started: { _ in }, progress: { _ in })
        }
        let ending = Mutex(false)
        let waiter = Task {
            _ = await task.result
            ending.withLock { $0 = true }
        }
        try await poll("it dies or ends") { node.hasCrashed || ending.withLock { $0 } }
        let hasCrashed = node.hasCrashed
        let point = node.passed.last.map(String.init(describing:)) ?? ""
        await node.kill()
        try node.start()
        await waiter.value
        try await world.settled()
        #expect(world.running == 1, "\(victim) at \(number): \(point)")
        let owner = world.a.driver.instances.isEmpty ? world.b : world.a
        let other = owner === world.a ? world.b : world.a
        #expect(owner.pool.names == ["web"] && other.pool.names.isEmpty, "\(number): \(point)")
        #expect(owner.copies.isEmpty && other.copies.count <= 1, "\(number): \(point)")
        for node in [world.a, world.b] {
            // What a dead daemon was keeping or removing, the next one sees to by itself.
            try await poll("\(victim) at \(number): \(point): all copies are known and at rest") {
                let known = try node.records()
                return known.allSatisfy { $0.isWhole && $0.user == nil }
                    && Set(known.map(\.copy.id.text)) == node.pool.copies.withLock { Set($0.keys) }
            }
        }
        return hasCrashed
    }

    @Test(arguments: ["keepVolume", "volumeKept"])
    func `a daemon that is killed while the source ends the original goes on with the copy`(
        step: String
    ) async throws {
        try await World.run { world in
            world.a.pool.write("before", to: "web")
            world.a.pool.faults.set(step, .hangs)
            let (_, task) = try await world.begin { $0.keepSeconds = 100 }
            try await poll("it is kept") { world.a.pool.faults.hasReached(step) }
            await world.a.kill()
            world.a.pool.faults.set(step, nil)
            try world.a.start()
            _ = await task.result
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.copies.map(\.content) == ["before"])
            #expect(try world.a.records().map(\.isWhole) == [true])
            // And so does the next one with what it has found.
            await world.a.kill()
            try world.a.start()
            #expect(try await world.a.service.pool("default").kept?.count == 1)
            #expect(world.a.copies.count == 1)
        }
    }

    @Test func `what cannot be kept is deleted`() async throws {
        try await World.run { world in
            world.a.pool.faults.fails("volumeKept", .toolFailed)
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            #expect(world.a.copies.isEmpty)
            #expect(try world.a.records().isEmpty)
        }
    }
}
