import Engine
import MigrationCore
import Testing

@Suite struct InstanceTests {
    @Test func `a launch fills in what was left out`() async throws {
        try await World.run(hasInstance: false) { world in
            let service = try world.a.service
            var request = LaunchRequest(name: web, root: .path("/image"))
            request.environment = ["A=mine", "C=3"]
            request.interfaces = [InterfaceRequest(bridge: "br0", addresses: ["10.0.0.5/24"])]
            try await service.launch(request)
            let view = try await service.instance(web)
            let process = view.definition.process
            #expect(process.command == ["/server"])
            #expect(process.environment.suffix(3) == ["A=mine", "B=2", "C=3"])
            #expect(process.userID == 33)
            #expect(process.groupID == 44)
            #expect(view.definition.idMap == IDMap(hostStart: 5_000, count: 100))
            let interface = try #require(view.definition.interfaces.first)
            #expect(interface.name == "eth0")
            #expect(interface.hardwareAddress.hasPrefix("02:"))
            #expect(interface.hardwareAddress.count == 17)
            #expect(view.observation.status == .running)
            #expect(view.migration == nil)
        }
    }

    @Test func `a launch that fails leaves nothing`() async throws {
        try await World.run(hasInstance: false) { world in
            let service = try world.a.service
            await #expect(throws: GodwitError(.notFound, "")) {
                try await service.launch(LaunchRequest(name: web, root: .path("/missing")))
            }
            #expect(try await service.instances().isEmpty)
            #expect(world.a.pool.names.isEmpty)
            try await service.launch(LaunchRequest(name: web, root: .path("/image"), starts: false))
            #expect(try await service.instance(web).observation.status == .stopped)
        }
    }

    @Test func `a launch under a taken name or with too much is refused`() async throws {
        try await World.run { world in
            let service = try world.a.service
            await #expect(throws: GodwitError(.nameTaken, "")) {
                try await service.launch(LaunchRequest(name: web, root: .path("/image")))
            }
            #expect(world.a.pool.content("web") == "files of /image")
            var request = LaunchRequest(name: name("big"), root: .path("/image"))
            request.command = Array(repeating: "x", count: Limit.commandWords + 1)
            await #expect(throws: GodwitError(.limitExceeded, "")) {
                try await service.launch(request)
            }
            request.command = []
            request.environment = ["NOVALUE"]
            await #expect(throws: GodwitError(.badRequest, "")) {
                try await service.launch(request)
            }
            request.environment = []
            request.pool = "other"
            await #expect(throws: GodwitError(.notFound, "")) { try await service.launch(request) }
        }
    }

    @Test func `the verbs of an instance's life do what they say`() async throws {
        try await World.run { world in
            let service = try world.a.service
            await #expect(throws: GodwitError(.alreadyRunning, "")) {
                try await service.start(web, .ifKept)
            }
            try await service.freeze(web)
            #expect(try await service.instance(web).observation.status == .frozen)
            try await service.unfreeze(web)
            try await service.restart(web, force: false, grace: .zero)
            #expect(world.a.driver.instances[web]?.memory == "fresh")
            await #expect(throws: GodwitError(.alreadyRunning, "")) {
                try await service.delete(web, force: false)
            }
            await #expect(throws: GodwitError(.alreadyRunning, "")) {
                try await service.rename(web, to: name("shop"))
            }
            try await service.stop(web, force: false, grace: .zero)
            await #expect(throws: GodwitError(.notRunning, "")) {
                try await service.stop(web, force: false, grace: .zero)
            }
            try await service.rename(web, to: name("shop"))
            #expect(world.a.pool.names == ["shop"])
            try await service.start(name("shop"), .ifKept)
            #expect(try await service.log(name("shop"), limit: .kibibytes(1)).count > 0)
            try await service.delete(name("shop"), force: true)
            #expect(world.a.pool.names.isEmpty)
            #expect(world.a.driver.instances.isEmpty)
            await #expect(throws: GodwitError(.notFound, "")) {
                try await service.start(web, .ifKept)
            }
            let changes = world.a.events.compactMap { event -> HostEvent.Change? in
                guard case .instance(_, let change, _) = event else { return nil }
                return change
            }
            #expect(
                changes == [
                    .created, .started, .frozen, .unfrozen, .restarted, .stopped, .renamed,
                    .started, .deleted,
                ]
            )
        }
    }

    @Test func `an instance that is moving is left alone`() async throws {
        try await World.run { world in
            try await hold("a sendWhileRunning", in: world) { id, task in
                let service = try world.a.service
                let verbs: [() async throws -> Void] = [
                    { try await service.start(web, .ifKept) },
                    { try await service.stop(web, force: true, grace: .zero) },
                    { try await service.delete(web, force: true) },
                    { try await service.rename(web, to: name("shop")) },
                    { _ = try await world.move() },
                    { try await service.freeze(web) },
                ]
                for verb in verbs {
                    let error = await #expect(throws: GodwitError.self) { try await verb() }
                    #expect(error?.code == .busy)
                    #expect(error?.message.contains(id.text) == true)
                }
                await #expect(throws: GodwitError(.busy, "")) {
                    try await world.b.service.start(web, .ifKept)
                }
                #expect(try await world.b.service.instances().isEmpty)
                world.a.pool.faults.set("sendWhileRunning", nil)
                _ = try await task.value
            }
        }
    }

    @Test func `a host tells who it is`() async throws {
        try await World.run { world in
            let information = try await world.a.service.information()
            #expect(information.name == "a")
            #expect(information.address == "a:1")
            #expect(information.facts.instanceNames == ["web"])
            #expect(try await world.a.service.check().findings.isEmpty)
        }
    }
}
