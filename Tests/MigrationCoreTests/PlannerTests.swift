import MigrationCore
import Testing

@Suite struct PlannerTests {
    private func offer(
        mode: MoveOptions.Mode = .live,
        status: InstanceStatus = .running,
        volumes: [VolumeFacts] = [VolumeFacts(name: "web", used: .zero, methods: [.rsync])]
    ) throws -> Offer {
        Offer(
            definition: InstanceDefinition(
                name: try InstanceName("web"),
                process: ProcessDefinition(command: ["/bin/sh"]),
                idMap: nil,
                created: Timestamp(milliseconds: 0)
            ),
            instance: InstanceFacts(
                status: status, memory: .zero, processes: 1, volumes: volumes, obstacles: []
            ),
            host: HostFacts(
                hostname: "a", clock: Timestamp(milliseconds: 0), architecture: "x86_64",
                kernel: Version(6), kernelFeatures: [], processorFeatures: [], criu: nil,
                runtimes: [], rsync: nil, cgroup: CgroupFacts(version: 2, controllers: []),
                filesystems: [], pools: [], memoryAvailable: .zero, bridges: [],
                instanceNames: [], addressesInUse: [], idRange: nil, mountablePaths: [],
                pipeLimit: .zero
            ),
            options: MoveOptions(mode: mode)
        )
    }

    private let methods: [String: [VolumeMethod]] = ["default": [.rsync]]

    @Test func `a live plan freezes, sends state side by side, hands over`() throws {
        let (findings, plan) = Planner.plan(try offer(), findings: [], methods: methods)
        #expect(findings.isEmpty)
        #expect(
            plan?.steps == [
                .sendVolume("web", .rsync), .freeze, .sendDelta("web", .rsync), .sendCheckpoint,
                .handOver, .restore, .endOriginal,
            ]
        )
        #expect(plan?.startsOnTarget == true)
        #expect(plan?.name.text == "web")
    }

    @Test func `a cold plan sends no process state and starts only what ran`() throws {
        let offer = try offer(mode: .cold, status: .stopped)
        let plan = Planner.plan(offer, findings: [], methods: methods).plan
        #expect(plan?.steps.contains(.sendCheckpoint) == false)
        #expect(plan?.startsOnTarget == false)
    }

    private func postcopy(
        mode: MoveOptions.Mode = .live, source: Capabilities = .own,
        target: [Capabilities.Feature] = [.memoryRounds, .postcopy]
    ) throws -> (findings: [Finding], plan: Plan?) {
        var offer = try offer(mode: mode)
        offer.options.memory = Sample.postcopy
        offer.capabilities = source
        return Planner.plan(offer, findings: [], abilities: target, methods: methods)
    }

    @Test func `memory follows after custody where it is asked for and both hosts can`() throws {
        let (findings, plan) = try postcopy()
        #expect(findings.isEmpty)
        #expect(
            plan?.steps == [
                .sendVolume("web", .rsync), .sendMemory(streams: 2), .freeze,
                .sendDelta("web", .rsync), .sendCheckpoint, .handOver, .fetchMemory, .restore,
                .endOriginal,
            ]
        )
        let unasked = Planner.plan(
            try offer(), findings: [], abilities: [.memoryRounds, .postcopy], methods: methods)
        #expect(unasked.plan?.canFetch == false)
        #expect(try postcopy(mode: .cold, target: []).plan?.canFetch == false)
    }

    @Test func `post-copy that one side can not do is refused with that side named`() throws {
        for feature in [Capabilities.Feature.memoryRounds, .postcopy] {
            let source = try postcopy(source: Capabilities.own.without(feature))
            #expect(source.findings.map(\.check) == ["postcopy"])
            #expect(source.findings.first?.cause.contains("the source") == true)
            #expect(source.plan == nil)
            let target = try postcopy(
                target: [.memoryRounds, .postcopy].filter { $0 != feature })
            #expect(target.findings.map(\.check) == ["postcopy"])
            #expect(target.findings.first?.cause.contains("the target") == true)
            #expect(target.plan == nil)
        }
        let both = try postcopy(source: Capabilities.own.without(.postcopy), target: [])
        #expect(both.findings.map(\.check) == ["postcopy", "postcopy"])
    }

    @Test func `snapshots go first, where both hosts can and nobody has given them up`() throws {
        var offer = try offer()
        offer.instance.snapshots = [
            Snapshot(name: try SnapshotName("snap0"), created: Timestamp(milliseconds: 0))
        ]
        let able: [Capabilities.Feature] = [.snapshots]
        let plan = Planner.plan(offer, findings: [], abilities: able, methods: methods).plan
        #expect(plan?.steps.prefix(2) == [.sendSnapshots("web"), .sendVolume("web", .rsync)])
        #expect(plan?.isAnswer(to: offer) == true)
        let unable = Planner.plan(offer, findings: [], methods: methods)
        #expect(unable.plan == nil)
        #expect(unable.findings.map(\.check) == ["snapshots"])
        #expect(unable.findings.first?.cause.contains("a snapshot, and the target's") == true)
        offer.capabilities = Capabilities.own.without(.snapshots)
        let mute = Planner.plan(offer, findings: [], abilities: able, methods: methods)
        #expect(mute.findings.first?.cause.contains("the source's pool") == true)
        offer.options.dropsSnapshots = true
        let given = Planner.plan(offer, findings: [], methods: methods)
        #expect(given.findings.isEmpty)
        #expect(given.plan?.steps.first == .sendVolume("web", .rsync))
    }

    @Test func `a plan that would lose snapshots is no answer`() throws {
        var offer = try offer()
        let plan = try #require(Planner.plan(offer, findings: [], methods: methods).plan)
        #expect(plan.isAnswer(to: offer))
        offer.instance.snapshots = [
            Snapshot(name: try SnapshotName("snap0"), created: Timestamp(milliseconds: 0))
        ]
        #expect(!plan.isAnswer(to: offer))
    }

    @Test func `a new name becomes the plan's`() throws {
        var offer = try offer()
        offer.options.newName = try InstanceName("shop")
        #expect(Planner.plan(offer, findings: [], methods: methods).plan?.name.text == "shop")
    }

    @Test func `warnings stay in the plan, a refusal leaves none`() throws {
        let warning = Finding("clock", .warning, cause: "late", cure: "set it")
        let refusal = Finding("name", cause: "taken", cure: "another")
        let warned = Planner.plan(try offer(), findings: [warning], methods: methods)
        #expect(warned.plan?.warnings == [warning])
        let refused = Planner.plan(try offer(), findings: [warning, refusal], methods: methods)
        #expect(refused.plan == nil)
        #expect(refused.findings == [warning, refusal])
    }

    @Test func `a pool or a method that the target does not know is refused`() throws {
        let unknown = Planner.plan(try offer(), findings: [], methods: ["fast": [.rsync]])
        #expect(unknown.findings.map(\.check) == ["pool"])
        let mute = Planner.plan(try offer(), findings: [], methods: ["default": []])
        #expect(mute.findings.map(\.check) == ["volume-method"])
        #expect(mute.plan == nil)
    }

    @Test func `an instance has the target's host ids where it cannot keep its own`() throws {
        var offer = try offer()
        offer.definition.idMap = IDMap(hostStart: 1_000, count: 100)
        offer.instance.volumes[0].methods = [.btrfs, .rsync]
        let plan = { (range: IDMap?, able: Bool, methods: [VolumeMethod]) in
            Planner.plan(
                offer, findings: [], abilities: able ? [.idMaps] : [],
                methods: ["default": methods], idRange: range)
        }
        let apart = IDMap(hostStart: 5_000, count: 200)
        let (findings, other) = plan(apart, true, [.btrfs, .rsync])
        #expect(findings.isEmpty)
        #expect(other?.idMap == IDMap(hostStart: 5_000, count: 100))
        #expect(other?.arriving(offer.definition).idMap == other?.idMap)
        #expect(other?.isAnswer(to: offer) == true)
        // Snapshots of btrfs keep the ids that they have.
        #expect(other?.steps.first == .sendVolume("web", .rsync))
        #expect(plan(apart, false, [.rsync]).findings.map(\.check) == ["id-map"])
        #expect(plan(apart, true, [.btrfs]).findings.map(\.check) == ["id-map"])
        for range in [IDMap(hostStart: 900, count: 500), nil] {
            let same = plan(range, false, [.btrfs]).plan
            #expect(same?.idMap == nil)
            #expect(same?.arriving(offer.definition).idMap == offer.definition.idMap)
            #expect(same?.steps.first == .sendVolume("web", .btrfs))
        }
        offer.definition.idMap = nil
        #expect(other?.isAnswer(to: offer) == false)
    }

    @Test func `a live move of what does not run is refused`() throws {
        let offer = try offer(status: .stopped)
        let result = Planner.plan(offer, findings: [], methods: methods)
        #expect(result.findings.map(\.check) == ["mode"])
    }

    @Test(arguments: ["../etc", "other"])
    func `a volume that is not named after the instance is refused`(name: String) throws {
        let volume = VolumeFacts(name: name, used: .zero, methods: [.rsync])
        let result = Planner.plan(try offer(volumes: [volume]), findings: [], methods: methods)
        #expect(result.findings.map(\.check) == ["volume-name"])
        #expect(result.plan == nil)
    }

    @Test func `what is above a limit is refused`() throws {
        var offer = try offer()
        let mount = MountDefinition(hostPath: "/a", path: "/a", isReadOnly: true)
        offer.definition.mounts = Array(repeating: mount, count: Limit.mountsPerInstance + 1)
        let result = Planner.plan(offer, findings: [], methods: methods)
        #expect(result.findings.map(\.check) == ["limit"])
    }
}
