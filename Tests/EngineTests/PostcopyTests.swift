import Engine
import MigrationCore
import Synchronization
import Testing

/// Moves whose memory follows the instance.
@Suite struct PostcopyTests {
    private static func wish(_ request: inout MoveRequest) {
        do { request.memory = try MemoryOptions(atDeadline: .postcopy) } catch {
            Issue.record("\(error)")
        }
    }

    private func run(body: (World) async throws -> Void) async throws {
        try await World.run { world in
            for node in [world.a, world.b] {
                node.driver.state.withLock { $0.canMoveMemory = true }
            }
            try await body(world)
        }
    }

    private func expectFetched(_ world: World, _ comment: Comment? = nil) {
        #expect(
            world.b.driver.state.withLock { $0.fetchedPages[web] } == "counted to 7", comment)
    }

    @Test func `memory follows the instance, and the original stays until then`() async throws {
        try await run { world in
            world.b.driver.faults.set("fetchMemory 1", .hangs)
            let (id, task) = try await world.begin(Self.wish)
            try await poll("it runs on the target") {
                world.b.driver.instances[web]?.status == .running
            }
            try await poll("the source knows") {
                try world.a.store().report(id) != nil
                    && world.b.driver.faults.hasReached("fetchMemory 1")
            }
            #expect(world.a.driver.instances[web]?.status == .frozen)
            #expect(world.a.driver.faults.count("end") == 0)
            world.b.driver.faults.set("fetchMemory 1", nil)
            let report = try await task.value
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            expectFetched(world)
            #expect(report.memory?.fetch?.owedPages == 3)
            #expect(report.downtimeMilliseconds != nil)
        }
    }

    @Test func `it is refused where the target cannot`() async throws {
        try await World.run { world in
            world.a.driver.state.withLock { $0.canMoveMemory = true }
            let error = await world.failure(Self.wish)
            #expect(error?.code == .refused)
            #expect(error?.findings.first?.check == "postcopy")
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `a broken link is joined again and the fetching goes on`() async throws {
        try await run { world in
            world.b.driver.faults.set("fetchMemory 1", .hangs)
            let (_, task) = try await world.begin(Self.wish)
            for _ in 0..<5 {
                try await poll("pages travel") {
                    world.b.driver.faults.hasReached("fetchMemory 1")
                }
                world.network.cut()
            }
            world.b.driver.faults.set("fetchMemory 1", nil)
            _ = try await task.value
            try await world.settled()
            try world.expectOneCopy(on: world.b)
            expectFetched(world)
        }
    }

    @Test(arguments: ["a", "b"])
    func `memory comes whenever a daemon is killed`(victim: String) async throws {
        var counts: [Int] = []
        try await run { world in
            _ = try await world.move(Self.wish)
            try await world.settled()
            counts = [world.a.passed.count, world.b.passed.count]
        }
        let bound = victim == "b" ? counts[1] : counts[0]
        try await withThrowingTaskGroup { group in
            for number in 0..<bound {
                group.addTask { try await run { try await dies(victim, at: number, in: $0) } }
            }
            try await group.waitForAll()
        }
    }

    private func dies(_ victim: String, at number: Int, in world: World) async throws {
        let node = victim == "b" ? world.b : world.a
        node.crash(at: number)
        let (_, task) = try await world.begin(Self.wish)
        try await poll("\(node.name) reaches action \(number)") { node.hasCrashed }
        let point = node.passed.last.map(String.init(describing:)) ?? ""
        await node.kill()
        try node.start()
        _ = await task.result
        try await world.settled()
        try world.expectOneCopy("\(victim) at \(number): \(point)")
        guard try world.b.store().instance(web) != nil else { return }
        expectFetched(world, "\(victim) at \(number): \(point)")
    }

    @Test func `a person on the target gives up what lacks memory`() async throws {
        try await run { world in
            world.b.driver.faults.set("fetchMemory 1", .hangs)
            let (_, task) = try await world.begin(Self.wish)
            try await poll("it runs without all of its memory") {
                world.b.driver.instances[web]?.status == .running
                    && world.b.passed.contains { "\($0)".contains("send running") }
            }
            try await world.b.service.resolve(web, .gone)
            _ = await task.result
            try await world.settled()
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `a person lets go of the original while pages are missing`() async throws {
        try await run { world in
            world.b.driver.faults.set("fetchMemory 1", .hangs)
            let (id, task) = try await world.begin(Self.wish)
            try await poll("pages travel") { world.b.driver.faults.hasReached("fetchMemory 1") }
            await world.b.kill()
            let service = try world.a.service
            try await poll("nobody answers") {
                try world.a.store().report(id) != nil
            }
            var isUndecided = false
            while !isUndecided {
                isUndecided = try await service.migration(id).status == .undecided
                try await Task.sleep(for: .milliseconds(2))
            }
            try await service.resolve(web, .gone)
            _ = await task.result
            try world.b.start()
            try await world.settled()
            #expect(world.running == 0)
            #expect(try world.b.store().instance(web) == nil)
        }
    }

    @Test(arguments: [Resolution.keepHere, .gone])
    func `a person decides about what is lost on the target`(word: Resolution) async throws {
        try await run { world in
            world.b.driver.faults.set("fetchMemory 1", .hangs)
            let (id, task) = try await world.begin(Self.wish)
            try await poll("pages travel") { world.b.driver.faults.hasReached("fetchMemory 1") }
            world.b.driver.state.withLock { _ = $0.lost.insert(web) }
            try await poll("a person is needed") {
                try world.a.store().instance(web) != nil && world.b.driver.instances[web] == nil
            }
            #expect(world.a.driver.instances[web]?.status == .frozen)
            let service = try world.a.service
            var isUndecided = false
            while !isUndecided {
                isUndecided = try await service.migration(id).status == .undecided
                try await Task.sleep(for: .milliseconds(2))
            }
            try await service.resolve(web, word)
            _ = await task.result
            try await world.settled()
            switch word {
            case .keepHere: try world.expectOneCopy(on: world.a)
            case .gone: #expect(world.running == 0)
            }
        }
    }
}
