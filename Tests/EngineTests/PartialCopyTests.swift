import Engine
import MigrationCore
import Synchronization
import Testing

/// What stays on the target when the connection breaks, and the next try.
@Suite struct PartialCopyTests {
    /// A move that breaks when all has come, in a pool whose volumes are so large.
    private func breaking(
        _ size: ByteCount = Limit.smallestPartialCopy, keepSeconds: UInt32? = 100_000,
        _ body: (World) async throws -> Void
    ) async throws {
        try await World.run { world in
            world.a.pool.write("before", to: "web")
            world.b.pool.size.withLock { $0 = size }
            world.network.cut(at: "arrived")
            #expect(await world.failure { $0.keepSeconds = keepSeconds }?.code == .linkLost)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            try await body(world)
        }
    }

    @Test func `the next try begins with what has come, of which nothing is believed`() async throws
    {
        try await breaking { world in
            #expect(world.b.copies.map(\.content) == ["before"])
            #expect(world.a.pool.forgotten.withLock { $0.isEmpty })
            let shown = try #require(try await world.b.service.pool("default").kept)
            #expect(shown.map(\.kind) == [.partial] && shown.map(\.name) == [web])
            let time = shown[0].expires.milliseconds - shown[0].kept.milliseconds
            #expect(time == Int64(Limit.partialCopySeconds) * 1_000)
            _ = try await world.move { $0.keepSeconds = 100 }
            try await world.settled()
            #expect(world.a.starts == [.empty, .unknown])
            try world.expectOneCopy(on: world.b)
            #expect(world.b.copies.isEmpty && world.a.copies.map(\.content) == ["before"])
            #expect(try world.b.records().isEmpty)
        }
    }

    @Test func `a second try that breaks leaves one copy, and one that fails leaves none`()
        async throws
    {
        try await breaking { world in
            let first = try world.b.records()
            world.b.pool.size.withLock { $0 = .gibibytes(1) }
            world.network.cut(at: "arrived")
            #expect(await world.failure { $0.keepSeconds = 100 }?.code == .linkLost)
            try await world.settled()
            #expect(world.b.copies.count == 1)
            let second = try world.b.records()
            #expect(second.map(\.copy.id) == first.map(\.copy.id))
            #expect(second.map(\.copy.used) == [.gibibytes(1) + ByteCount(bytes: 10)])
            world.b.driver.faults.fails("restore", .toolFailed)
            #expect(await world.failure { $0.keepSeconds = 100 }?.code == .toolFailed)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(try world.b.copies.isEmpty && world.b.records().isEmpty)
        }
    }

    @Test func `little is not kept, nor what nobody wants to be kept`() async throws {
        let less = ByteCount(bytes: Limit.smallestPartialCopy.bytes - 11)
        try await breaking(less) { world in #expect(world.b.copies.isEmpty) }
        try await breaking(keepSeconds: nil) { world in
            #expect(world.b.copies.isEmpty)
            #expect(world.a.pool.forgotten.withLock { $0 } == ["web"])
        }
    }

    @Test func `a move that fails for another reason leaves nothing`() async throws {
        try await World.run { world in
            world.b.pool.size.withLock { $0 = .gibibytes(1) }
            world.b.driver.faults.fails("restore", .toolFailed)
            #expect(await world.failure { $0.keepSeconds = 100 }?.code == .toolFailed)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(try world.b.copies.isEmpty && world.b.records().isEmpty)
            #expect(world.a.pool.forgotten.withLock { $0 } == ["web"])
        }
    }

    @Test func `a pool that cannot remove what a pass has left keeps nothing else from going`()
        async throws
    {
        try await breaking { world in
            world.b.pool.faults.fails("removeBrokenPasses", .toolFailed)
            let kept = try #require(try world.b.records().first)
            #expect(try await world.b.service.removeExpiredCopies() == kept.copy.expires)
            #expect(world.b.pool.faults.hasReached("removeBrokenPasses"))
        }
    }

    @Test func `what is kept is known, whenever the target's daemon is killed`() async throws {
        var numbers = 0
        for number in 0..<60 {
            var isOver = false
            try await World.run { world in
                isOver = try await !dies(at: number, in: world)
                try await world.settled()
                try world.expectOneCopy(on: world.a, "\(number)")
                try await poll("\(number): all copies are known and at rest") {
                    let known = try world.b.records()
                    return known.allSatisfy { $0.isWhole && $0.user == nil }
                        && Set(known.map(\.copy.id.text))
                            == world.b.pool.copies.withLock { Set($0.keys) }
                }
            }
            numbers = number
            if isOver { break }
        }
        #expect(numbers >= 6 && numbers < 59)
    }

    /// - Returns: false if it had given up before.
    private func dies(at number: Int, in world: World) async throws -> Bool {
        world.b.pool.size.withLock { $0 = .gibibytes(1) }
        world.network.cut(at: "arrived")
        world.b.crash(at: world.b.passed.count + number)
        let (_, task) = try await world.begin { $0.keepSeconds = 100 }
        let ending = Mutex(false)
        let waiter = Task {
            _ = await task.result
            ending.withLock { $0 = true }
        }
        try await poll("it dies or ends") {
            try world.b.hasCrashed || ending.withLock { $0 } && world.b.isAtRest
        }
        let hasCrashed = world.b.hasCrashed
        await world.b.kill()
        try world.b.start()
        await waiter.value
        return hasCrashed
    }
}

extension Node {
    fileprivate var isAtRest: Bool {
        get throws { try store().openTargets().isEmpty }
    }
}
