import MigrationCore
import Testing

/// What is found about mounts and named volumes.
@Suite struct NamedVolumeCheckTests {
    private func withVolume(_ comparison: inout Comparison) throws {
        let volume = try VolumeReference("db")
        comparison.definition.mounts.append(
            MountDefinition(path: "/db", isReadOnly: false, volume: volume))
        comparison.instance.volumes.append(
            VolumeFacts(name: volume.key, used: .mebibytes(1), methods: [.rsync], users: []))
        comparison.target.namedVolumes = []
    }

    @Test func `nothing hinders a volume that one instance has`() throws {
        #expect(try found { try? withVolume(&$0) } == [])
    }

    @Test func `its name must be free on the target`() throws {
        let finding = try only {
            try? withVolume(&$0)
            $0.target.namedVolumes = [$0.definition.namedVolumes[0]]
        }
        #expect(finding?.mark == "named-volumes refusal")
        #expect(finding?.cause == "the target has a volume default/db already")
        #expect(finding?.cure.contains("detach") == true)
    }

    @Test func `it does not leave another instance`() throws {
        let other = try InstanceName("shop")
        let finding = try only {
            try? withVolume(&$0)
            $0.instance.volumes[1].users = [other]
        }
        #expect(finding?.mark == "named-volumes refusal")
        #expect(finding?.cause.contains("attached to shop as well") == true)
        #expect(finding?.cure.contains("godwit volume detach") == true)
        #expect(
            try found(.cold) {
                try? withVolume(&$0)
                $0.instance.volumes[1].users = [other]
                $0.options.mounts = ["/db": .skip]
            } == [])
    }

    @Test func `its pool must be there and have room`() throws {
        let elsewhere = try VolumeReference("fast/db")
        let missing = try only {
            try? withVolume(&$0)
            $0.definition.mounts[1].volume = elsewhere
            $0.instance.volumes[1].name = elsewhere.key
        }
        #expect(missing?.cause == "the target has no pool fast")
        let full = try only {
            try? withVolume(&$0)
            $0.definition.mounts[1].volume = elsewhere
            $0.instance.volumes[1].name = elsewhere.key
            $0.instance.volumes[1].used = .gibibytes(2)
            $0.target.pools.append(
                PoolFacts(
                    name: "fast", driver: "directory", filesystem: "ext4",
                    available: .gibibytes(2)))
        }
        #expect(full?.mark == "disk-space refusal")
        #expect(full?.cause.contains("the pool fast of the target has 2 GiB") == true)
    }

    @Test func `a path that is remapped must be there, and the old one need not`() throws {
        let finding = try only { $0.options.mounts = ["/data": .remap("/mnt/data")] }
        #expect(finding?.mark == "mounts refusal")
        #expect(finding?.cause.contains("/mnt/data, which the target lacks") == true)
        #expect(
            try found {
                $0.options.mounts = ["/data": .remap("/mnt/data")]
                $0.target.mountablePaths = ["/mnt/data"]
            } == [])
    }

    @Test func `a mount is left out of a cold move alone`() throws {
        let live = try only { $0.options.mounts = ["/data": .skip] }
        #expect(live?.mark == "mounts refusal")
        #expect(live?.cause.contains("CRIU restores every mount") == true)
        #expect(live?.cure.contains("--cold") == true)
        #expect(
            try found(.cold) {
                $0.options.mounts = ["/data": .skip]
                $0.target.mountablePaths = []
            } == [])
    }

    @Test func `a mount that is not to be moved with keeps the instance here`() throws {
        let finding = try only { $0.options.mounts = ["/data": .refuse] }
        #expect(finding?.mark == "mounts refusal")
        #expect(finding?.cause.contains("as was asked for") == true)
    }

    @Test func `a volume of a pool that is not shared is none that both hosts have`() throws {
        let finding = try only {
            try? withVolume(&$0)
            $0.instance.volumes.removeLast()
            $0.options.mounts = ["/db": .share]
        }
        #expect(finding?.mark == "mounts refusal")
        #expect(finding?.cause.contains("the volume default/db") == true)
    }
}
