import Engine
import MigrationCore
import Synchronization
import Testing

/// Traffic that follows an instance to a host in another network.
@Suite struct ForwardTests {
    private static let bridge = InterfaceRequest(bridge: "br0", addresses: ["10.0.0.5/24"])

    private func run(_ body: (World) async throws -> Void) async throws {
        try await World.run(hasInstance: false) { world in
            let request = LaunchRequest(name: web, root: .path("/image"), interfaces: [Self.bridge])
            try await world.a.service.launch(request)
            try await body(world)
        }
    }

    private func cabled(_ node: Node) -> Bool { node.driver.state.withLock { !$0.cabled.isEmpty } }

    @Test func `both hosts know of it until a person ends it`() async throws {
        try await run { world in
            _ = try await world.move { $0.forwardSeconds = 600 }
            try await world.settled()
            #expect(cabled(world.a))
            let leaving = try #require(try await world.a.service.forwards().first)
            let arriving = try #require(try await world.b.service.forwards().first)
            #expect(leaving.direction == .leaving && leaving.other == "192.0.2.2")
            #expect(arriving.direction == .arriving && arriving.other == "192.0.2.1")
            #expect(leaving.until != nil && arriving.until != nil)
            try await world.a.service.endForward(web)
            #expect(!cabled(world.a))
            try await world.b.service.endForward(web)
            #expect(world.b.driver.faults.count("cutCables") == 1)
            #expect(try await world.b.service.forwards() == [])
            await #expect(throws: GodwitError(.notFound, "")) {
                try await world.b.service.endForward(web)
            }
        }
    }

    @Test func `it ends by itself when its time is over, on both hosts`() async throws {
        try await run { world in
            _ = try await world.move { $0.forwardSeconds = 1 }
            try await world.settled()
            let (a, b) = (try world.a.store(), try world.b.store())
            try await poll("no traffic is forwarded") {
                let isThere = try b.instances().contains {
                    $0.definition.interfaces[0].cable != nil
                }
                return try a.forwards().isEmpty && !isThere
            }
            #expect(!cabled(world.a))
            #expect(world.b.driver.faults.count("cutCables") == 1)
        }
    }

    @Test func `it outlives the daemon, which ends it in time`() async throws {
        try await run { world in
            _ = try await world.move { $0.forwardSeconds = 600 }
            try await world.settled()
            await world.a.kill()
            try world.a.start()
            #expect(try await world.a.service.forwards().count == 1)
            try await world.a.service.endForward(web)
            #expect(!cabled(world.a))
        }
    }

    @Test(arguments: ["dump", "layCables"])
    func `a move that fails takes its cables away`(step: String) async throws {
        try await run { world in
            world.a.driver.faults.fails(step, .kernelRefused)
            _ = await world.failure { $0.forwardSeconds = 600 }
            try await world.settled()
            #expect(!cabled(world.a))
            #expect(try await world.a.service.forwards() == [])
            #expect(try await world.b.service.forwards() == [])
        }
    }

    @Test func `a move without it, a cold one, and too long a time`() async throws {
        try await run { world in
            let cold = await world.failure {
                $0.mode = .cold
                $0.forwardSeconds = 600
            }
            #expect(cold?.code == .badRequest)
            let long = await world.failure { $0.forwardSeconds = Limit.forwardSeconds + 1 }
            #expect(long?.code == .badRequest)
            _ = try await world.move()
            try await world.settled()
            #expect(world.a.driver.faults.count("layCables") == 0)
            #expect(try await world.a.service.forwards() == [])
        }
    }

    @Test func `what is forwarded is not forwarded on, but it may move on`() async throws {
        try await run { world in
            _ = try await world.move { $0.forwardSeconds = 600 }
            try await world.settled()
            var back = MoveRequest(name: web, remote: try RemoteName("a"), forwardSeconds: 600)
            await #expect(throws: GodwitError(.busy, "")) {
                try await world.b.service.move(back, started: { _ in }, progress: { _ in })
            }
            back.forwardSeconds = nil
            _ = try await world.b.service.move(back, started: { _ in }, progress: { _ in })
            try await world.settled()
            #expect(try await world.b.service.forwards() == [])
            // It is here again: nothing has to follow it.
            let a = try world.a.store()
            try await poll("no traffic is forwarded") { try a.forwards().isEmpty }
            #expect(!cabled(world.a))
        }
    }

    @Test func `another instance of its name does not end it, and is not forwarded itself`()
        async throws
    {
        try await run { world in
            _ = try await world.move { $0.forwardSeconds = 600 }
            try await world.settled()
            let request = LaunchRequest(name: web, root: .path("/image"), interfaces: [Self.bridge])
            try await world.a.service.launch(request)
            _ = try await world.a.service.endDueForwards()
            #expect(try await world.a.service.forwards().count == 1)
            let failure = await world.failure {
                $0.newName = name("web2")
                $0.forwardSeconds = 600
            }
            #expect(failure?.code == .busy)
        }
    }
}
