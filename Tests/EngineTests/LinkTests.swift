import Engine
import MigrationCore
import Testing

/// Connections that break at every moment.
@Suite struct LinkTests {
    @Test(arguments: ["offer", "accepted", "arrived"])
    func `a link that breaks before custody leaves the instance on the source`(
        message: String
    ) async throws {
        try await World.run { world in
            world.network.cut(at: message)
            #expect(await world.failure()?.code == .linkLost)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
        }
    }

    @Test func `a custody message that is lost is never taken`() async throws {
        try await World.run { world in
            world.network.cut(at: "custody")
            #expect(await world.failure()?.code == .linkLost)
            try await world.settled()
            try world.expectOneCopy(on: world.a)
            #expect(world.network.log.contains("inquire"))
            #expect(world.b.driver.faults.count("restore") == 0)
        }
    }

    @Test(arguments: ["finished", "acknowledged", "closed"])
    func `an answer that is lost after custody is asked for again`(message: String) async throws {
        try await World.run { world in
            world.network.cut(at: message)
            _ = try await world.move()
            try await world.settled()
            try world.expectOneCopy(on: world.b)
        }
    }

    @Test func `while the peer cannot be reached after custody nothing runs twice`() async throws {
        try await World.run { world in
            try await hold("b restore", in: world) { id, task in
                world.network.isDown = true
                world.network.cut()
                world.b.driver.faults.set("restore", nil)
                try await poll("the target runs it") { world.running == 1 }
                try await poll("the source waits") {
                    let report = try world.a.store().openSources().first?.record
                    return report == .custodyOffered
                }
                var status = MigrationReport.Status.running
                while status != .undecided {
                    status = try await world.a.service.migration(id).status
                }
                #expect(world.a.driver.instances[web]?.status == .frozen)
                world.network.isDown = false
                _ = try await task.value
            }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
        }
    }

    @Test func `a person can keep the instance when the peer is gone for good`() async throws {
        try await World.run { world in
            try await hold("b restore", in: world) { _, task in
                await world.b.kill()
                world.network.isDown = true
                try await world.a.service.resolve(web, .keepHere)
                await #expect(throws: GodwitError(.cancelled, "")) { try await task.value }
                #expect(world.a.driver.instances[web]?.status == .running)
                // Who waits is told a moment before the journal says so.
                try await poll("it is unlocked") {
                    try world.a.store().instance(web)?.lock == nil
                }
            }
        }
    }

    @Test func `a person can say that the instance is gone`() async throws {
        try await World.run { world in
            try await hold("b restore", in: world) { _, task in
                await world.b.kill()
                world.network.isDown = true
                try await world.a.service.resolve(web, .gone)
                _ = try await task.value
                #expect(world.a.driver.instances.isEmpty)
                #expect(try world.a.store().instance(web) == nil)
            }
        }
    }

    @Test func `a decision is not taken while the move can still be cancelled`() async throws {
        try await World.run { world in
            try await hold("a freeze", in: world) { id, task in
                await #expect(throws: GodwitError(.busy, "")) {
                    try await world.a.service.resolve(web, .gone)
                }
                try await world.a.service.cancelMigration(id)
                _ = await task.result
            }
        }
    }

    @Test func `a stranger cannot speak or stream for a migration of another host`() async throws {
        try await World.run { world in
            try await hold("a sendWhileRunning", in: world) { id, task in
                let stranger = PeerIdentity(fingerprint: "c", name: "c")
                let (there, back) = (Pipe<Envelope>(), Pipe<Envelope>())
                try there.put(
                    Envelope(version: 1, migration: id, message: .abort(.init(.busy, ""))))
                try await world.b.service.accept(
                    control: FakeChannel(world.network, there, back),
                    migration: id,
                    from: stranger
                )
                let stream = FakeStream(Pipe(), Pipe())
                try await world.b.service.accept(
                    stream: stream,
                    hello: StreamHello(migration: id, purpose: .checkpoint),
                    from: stranger
                )
                await #expect(throws: GodwitError.self) { try await stream.read() }
                world.a.pool.faults.set("sendWhileRunning", nil)
                _ = try await task.value
            }
            try await world.settled()
            try world.expectOneCopy(on: world.b)
        }
    }

    @Test func `a stream for a migration that nobody knows is refused`() async throws {
        try await World.run { world in
            let stream = FakeStream(Pipe(), Pipe())
            let id = try MigrationID(String(repeating: "0", count: 32))
            try await world.b.service.accept(
                stream: stream,
                hello: StreamHello(migration: id, purpose: .checkpoint),
                from: world.a.identity
            )
            await #expect(throws: GodwitError.self) { try await stream.read() }
        }
    }

    @Test func `a target asked about what it does not know declines for ever`() async throws {
        try await World.run { world in
            let id = try MigrationID(String(repeating: "0", count: 32))
            for _ in 0..<2 {
                let channel = try await FakeDialer(node: world.a)
                    .openControl(RemoteName("b"), migration: id)
                try await channel.send(Envelope(version: 1, migration: id, message: .inquire))
                guard case .declined = try await channel.receive()?.message else {
                    Issue.record("not declined")
                    continue
                }
                await channel.close()
            }
            guard case .cleaned = try world.b.store().targetEntry(id)?.record else {
                Issue.record("not written down")
                return
            }
        }
    }
}
