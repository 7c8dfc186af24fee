import MigrationCore
import Testing

/// Named volumes in plans: which travel, from which pools, in which order.
@Suite struct VolumePlanTests {
    private func offer(_ options: MoveOptions = MoveOptions()) throws -> Offer {
        var offer = Sample.offer(options: options)
        offer.definition.mounts.append(
            MountDefinition(
                path: "/db", isReadOnly: false, volume: try VolumeReference("fast/db")))
        offer.instance.volumes = [VolumeFacts(name: "web", used: .zero, methods: [.rsync])]
        offer.instance.volumes += options.movingVolumes(of: offer.definition).map {
            VolumeFacts(name: $0.key, used: .zero, methods: [.btrfs, .rsync])
        }
        return offer
    }

    private func plan(
        _ offer: Offer,
        methods: [String: [VolumeMethod]] = ["default": [.rsync], "fast": [.btrfs, .rsync]],
        abilities: [Capabilities.Feature] = []
    ) -> (findings: [Finding], plan: Plan?) {
        Planner.plan(offer, findings: [], abilities: abilities, methods: methods)
    }

    @Test func `a volume travels beside the root volume, by what its own pools agree on`() throws {
        let offer = try offer()
        let plan = try #require(plan(offer).plan)
        #expect(
            plan.steps == [
                .sendVolume("web", .rsync), .sendVolume("custom/fast/db", .btrfs), .freeze,
                .sendDelta("web", .rsync), .sendDelta("custom/fast/db", .btrfs),
                .sendCheckpoint, .handOver, .restore, .endOriginal,
            ])
        #expect(plan.mounts == ["/data": .share, "/db": .move])
        #expect(plan.isAnswer(to: offer))
        #expect(plan.steps.count <= Limit.planSteps)
    }

    @Test func `snapshots are of the root volume alone`() throws {
        var offer = try offer()
        offer.instance.snapshots = [
            Snapshot(name: try SnapshotName("snap0"), created: Timestamp(milliseconds: 0))
        ]
        let plan = try #require(plan(offer, abilities: [.snapshots]).plan)
        #expect(plan.steps.prefix(2) == [.sendSnapshots("web"), .sendVolume("web", .rsync)])
        #expect(!plan.steps.contains(.sendSnapshots("custom/fast/db")))
    }

    @Test func `a volume that is left out does not travel`() throws {
        let options = MoveOptions(mode: .cold, mounts: ["/db": .skip])
        let plan = try #require(plan(try offer(options)).plan)
        #expect(!plan.steps.contains(.sendVolume("custom/fast/db", .btrfs)))
        #expect(plan.mounts?["/db"] == .skip)
    }

    @Test func `each pool must be there`() throws {
        let result = plan(try offer(), methods: ["default": [.rsync]])
        #expect(result.plan == nil)
        #expect(result.findings.map(\.cause) == ["the target has no pool fast"])
    }

    @Test func `what is offered is what travels, once`() throws {
        var more = try offer()
        more.instance.volumes.append(
            VolumeFacts(name: "custom/fast/other", used: .zero, methods: [.rsync]))
        #expect(plan(more).findings.map(\.check) == ["volume-name"])
        var less = try offer()
        less.instance.volumes.removeLast()
        #expect(plan(less).findings.map(\.check) == ["volume-name"])
        var twice = try offer()
        twice.definition.mounts.append(twice.definition.mounts[1])
        twice.instance.volumes.append(twice.instance.volumes[1])
        #expect(plan(twice).findings.map(\.check) == ["volume-name"])
    }

    @Test func `the most volumes make a plan that a peer reads`() throws {
        var offer = try offer()
        offer.definition.mounts = try (1..<Limit.volumesPerInstance).map {
            MountDefinition(
                path: "/v\($0)", isReadOnly: false, volume: try VolumeReference("v\($0)"))
        }
        offer.instance.volumes =
            [VolumeFacts(name: "web", used: .zero, methods: [.rsync])]
            + offer.definition.namedVolumes.map {
                VolumeFacts(name: $0.key, used: .zero, methods: [.rsync])
            }
        let plan = try #require(plan(offer).plan)
        #expect(plan.steps.count <= Limit.planSteps)
    }

    @Test func `who does not know of volumes must refuse them`() {
        let demanding = Capabilities.own.demanding(.mounts)
        #expect(demanding.isPart(of: .own))
        #expect(demanding.features.count == Capabilities.own.features.count)
        #expect(demanding.features.filter(\.isMandatory).map(\.name) == ["mounts"])
        #expect(!demanding.isPart(of: Capabilities.own.without(.mounts)))
    }
}
