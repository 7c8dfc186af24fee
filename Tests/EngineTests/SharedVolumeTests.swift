import Engine
import MigrationCore
import Synchronization
import Testing

/// Moves of an instance whose files both hosts see: whatever fails, nobody deletes the one copy,
/// and it belongs to whoever runs the instance.
@Suite struct SharedVolumeTests {
    private func expectWhole(
        _ ground: SharedGround, _ world: World, on node: Node? = nil, _ comment: Comment? = nil
    ) throws {
        #expect(ground.losses.withLock { $0 } == [], comment)
        #expect(world.running == 1, comment)
        let owners = [world.a, world.b].filter { !$0.driver.instances.isEmpty }
        #expect(owners.map(\.name) == [ground["web"]?.owner], comment)
        if let node { #expect(owners.first === node, comment) }
        for node in [world.a, world.b] {
            let known = try node.store().instances()
            #expect(known.count == (node === owners.first ? 1 : 0), comment)
            #expect(known.allSatisfy { !$0.ownsVolume }, comment)
        }
    }

    @Test(arguments: [MoveOptions.Mode.live, .cold])
    func `a volume stays where it is and gets another owner, there and back`(
        mode: MoveOptions.Mode
    ) async throws {
        let ground = SharedGround()
        try await World.run(ground: ground) { world in
            let plan = try await world.a.service.planMove(
                MoveRequest(name: web, remote: try RemoteName("b")))
            #expect(plan.plan?.steps.first == .sendVolume("web", .shared))
            _ = try await world.move { $0.mode = mode }
            try await world.settled()
            try expectWhole(ground, world, on: world.b)
            let request = MoveRequest(name: web, remote: try RemoteName("a"))
            _ = try await world.b.service.move(request, started: { _ in }, progress: { _ in })
            try await world.settled()
            try expectWhole(ground, world, on: world.a)
        }
    }

    @Test(arguments: [
        "prepareRestore", "receiveCheckpoint", "restore", "source freeze", "source dump",
        "source sendCheckpoint",
    ])
    func `a step that fails leaves the volume with the source`(step: String) async throws {
        let ground = SharedGround()
        try await World.run(ground: ground) { world in
            let node = step.hasPrefix("source ") ? world.a : world.b
            let word = step.split(separator: " ").last.map(String.init) ?? step
            node.driver.faults.fails(word, .toolFailed)
            #expect(await world.failure()?.code == .toolFailed)
            try await world.settled()
            try expectWhole(ground, world, on: world.a, "\(step)")
        }
    }

    @Test(arguments: ["a", "b", "both"])
    func `one copy is there in the end whenever a daemon is killed`(
        victim: String
    ) async throws {
        var counts = [0, 0]
        let ground = SharedGround()
        try await World.run(ground: ground) { world in
            _ = try await world.move()
            try await world.settled()
            counts = [world.a.passed.count, world.b.passed.count]
        }
        for number in 0..<(victim == "b" ? counts[1] : counts[0]) {
            let ground = SharedGround()
            try await World.run(ground: ground) { world in
                let node = victim == "b" ? world.b : world.a
                node.crash(at: number)
                let (_, task) = try await world.begin()
                try await poll("the crash") { node.hasCrashed }
                await node.kill()
                if victim == "both" {
                    await world.b.kill()
                    try world.b.start()
                }
                try node.start()
                _ = await task.result
                try await world.settled()
                try expectWhole(ground, world, "\(victim) at \(number)")
            }
        }
    }

    @Test func `an instance that is given up leaves what the target may use`() async throws {
        let ground = SharedGround()
        try await World.run(ground: ground) { world in
            try await hold("b restore", in: world) { _, task in
                await world.b.kill()
                world.network.isDown = true
                try await world.a.service.resolve(web, .gone)
                _ = try await task.value
            }
            #expect(ground.losses.withLock { $0 } == [])
            #expect(ground["web"]?.owner == "b")
            #expect(try world.a.store().instances().isEmpty)
        }
    }
}
