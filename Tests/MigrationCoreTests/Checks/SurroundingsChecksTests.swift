import MigrationCore
import Testing

/// cgroups, mounts, pools, space, networks: what an instance finds around itself.
@Suite struct SurroundingsChecksTests {
    @Test func `another version of cgroups refuses live moves of who divides its own alone`() throws
    {
        #expect(try found { $0.target.cgroup.version = 2 } == [])
        let spoil = { (comparison: inout Comparison) in
            comparison.target.cgroup.version = 2
            comparison.definition.limits.delegatesCgroups = true
        }
        #expect(try only(.live, spoil)?.mark == "cgroup refusal")
        #expect(try found(.cold, spoil) == [])
    }

    @Test(arguments: [MoveOptions.Mode.live, .cold])
    func `limits need their controllers`(mode: MoveOptions.Mode) throws {
        let finding = try only(mode) {
            $0.target.cgroup.controllers.subtract(["memory", "cpu", "pids"])
        }
        #expect(finding?.cause == "the target has no cgroup controller for cpu, memory, pids")
        #expect(
            try found(mode) {
                $0.target.cgroup.controllers = ["freezer", "devices"]
                $0.definition.limits = ResourceLimits()
            } == [])
    }

    @Test func `slowing an instance down needs the controller at the source`() throws {
        let memory = try MemoryOptions(throttle: true)
        let finding = try only {
            $0.options.memory = memory
            $0.source.cgroup.controllers.remove("cpu")
        }
        #expect(finding?.cause == "the source has no cgroup controller for cpu")
        #expect(try found { $0.source.cgroup.controllers.remove("cpu") } == [])
    }

    @Test func `freezing needs a controller in version 1 alone`() throws {
        #expect(
            try only { $0.target.cgroup.controllers.remove("freezer") }?.mark == "cgroup refusal")
        #expect(
            try found {
                $0.source.cgroup = CgroupFacts(version: 2, controllers: ["memory", "cpu", "pids"])
                $0.target.cgroup = $0.source.cgroup
            } == [])
    }

    @Test func `no cgroups at all are said once`() throws {
        let finding = try only { $0.target.cgroup = CgroupFacts(version: 0, controllers: []) }
        #expect(finding?.cause == "no cgroup hierarchy is mounted on the target")
    }

    @Test func `the kernel's own filesystems are needed`() throws {
        #expect(
            try only(.cold) { $0.target.filesystems.remove("devpts") }?.mark
                == "filesystems refusal")
        #expect(try only { $0.target.filesystems.remove("mqueue") }?.mark == "filesystems refusal")
        #expect(
            try found {
                $0.source.filesystems.remove("mqueue")
                $0.target.filesystems.remove("mqueue")
            } == [])
    }

    @Test func `every mounted path of the host must exist on the target`() throws {
        let findings = try found {
            $0.definition.mounts.append(
                MountDefinition(hostPath: "/srv/more", path: "/more", isReadOnly: false))
            $0.target.mountablePaths = []
        }
        #expect(findings.map(\.mark) == ["mounts refusal", "mounts refusal"])
        #expect(findings.first?.cause.contains("/srv/data") == true)
    }

    @Test func `the name that counts is the new one`() throws {
        #expect(try only { $0.target.instanceNames = ["web"] }?.mark == "name refusal")
        let other = try InstanceName("other")
        #expect(try only { $0.options.newName = other }?.cause.contains("instance other") == true)
        #expect(
            try found {
                $0.options.newName = try? InstanceName("web2")
                $0.target.instanceNames = ["web"]
            } == [])
    }

    @Test func `a host takes only so many instances`() throws {
        let finding = try only {
            $0.target.instanceNames = Set((0..<Limit.instances).map { "i\($0)" })
        }
        #expect(finding?.mark == "name refusal")
        #expect(
            try found {
                $0.target.instanceNames = Set((1..<Limit.instances).map { "i\($0)" })
            } == [])
    }

    @Test func `the pool must exist and keep owners`() throws {
        #expect(try only { $0.target.pools = [] }?.cause == "the target has no pool default")
        #expect(
            try only { $0.target.pools[0].filesystem = "vfat" }?.cause.contains("keep owners")
                == true)
        #expect(
            try only { $0.target.pools[0].filesystem = "squashfs" }?.cause.contains("be written")
                == true)
        #expect(try found { $0.target.pools[0].filesystem = "unheard-of" } == [])
    }

    @Test func `a pool in memory is a warning unless it was one before`() throws {
        #expect(try only { $0.target.pools[0].filesystem = "tmpfs" }?.mark == "pool warning")
        #expect(
            try found {
                $0.source.pools[0].filesystem = "tmpfs"
                $0.target.pools[0].filesystem = "tmpfs"
            } == [])
    }

    @Test(arguments: [MoveOptions.Mode.live, .cold])
    func `volumes need their size and a sixteenth`(mode: MoveOptions.Mode) throws {
        let enough = ByteCount.mebibytes(1_024 + 64)
        #expect(try found(mode) { $0.target.pools[0].available = enough } == [])
        let finding = try only(mode) {
            $0.target.pools[0].available = ByteCount(bytes: enough.bytes - 1)
        }
        #expect(finding?.mark == "disk-space refusal")
        #expect(finding?.cause.contains("has 1 GiB free; the volume needs 1 GiB") == true)
        // Copies that are kept there make room.
        #expect(
            try found(mode) {
                $0.target.pools[0].available = ByteCount(bytes: enough.bytes - 5)
                $0.target.pools[0].reclaimable = ByteCount(bytes: 5)
            } == [])
        #expect(
            try only(mode) {
                $0.instance.volumes[0].used = ByteCount(bytes: .max)
                $0.instance.volumes.append($0.instance.volumes[0])
            }?.mark == "disk-space refusal")
    }

    @Test func `a live move needs the memory once here and twice there`() throws {
        #expect(try found { $0.target.memoryAvailable = .mebibytes(576) } == [])
        #expect(try only { $0.target.memoryAvailable = .mebibytes(575) }?.mark == "memory refusal")
        #expect(try found { $0.source.memoryAvailable = .mebibytes(320) } == [])
        let finding = try only { $0.source.memoryAvailable = .mebibytes(319) }
        #expect(
            finding?.cause
                == "the source has 319 MiB of memory available and needs 320 MiB "
                + "to hold its checkpoint"
        )
    }

    @Test func `what travels page by page needs room on the target alone, and once`() throws {
        let division = MemoryDivision(pages: .mebibytes(800), images: .mebibytes(10))
        func findings(_ source: UInt64, _ target: UInt64) throws -> [Finding] {
            try found {
                $0.instance.division = division
                $0.source.memoryAvailable = .mebibytes(source)
                $0.target.memoryAvailable = .mebibytes(target)
            }
        }
        #expect(try findings(74, 984) == [])
        #expect(try findings(73, 984).map(\.mark) == ["memory refusal"])
        #expect(try findings(74, 983).map(\.mark) == ["memory refusal"])
    }

    @Test func `a cold move into little memory is a warning`() throws {
        #expect(
            try only(.cold) { $0.target.memoryAvailable = .mebibytes(255) }?.mark
                == "memory warning")
        #expect(try found(.cold) { $0.source.memoryAvailable = .zero } == [])
    }

    @Test func `every bridge must exist`() throws {
        let finding = try only(.cold) { $0.target.bridges = ["br1"] }
        #expect(finding?.mark == "bridges refusal")
        #expect(
            finding?.cure == "make it there: ip link add br0 type bridge, or name another with "
                + "--network br0=OTHER")
        #expect(
            try found {
                $0.target.bridges = []
                $0.definition.interfaces = []
            } == [])
    }

    @Test func `kept connections on another network are a warning`() throws {
        let change = { (pair: inout Comparison) in
            pair.target.bridgeNetworks = ["br0": ["10.9.0.1/24"]]
        }
        #expect(try only(.live, change)?.mark == "network warning")
        #expect(try found(.cold, change) == [])
        #expect(
            try found {
                change(&$0)
                $0.options.tcp = .close
            } == [])
        #expect(try found { $0.target.bridgeNetworks = ["br0": ["10.0.0.9/24"]] } == [])
        #expect(try found { $0.target.bridgeNetworks = [:] } == [])
    }

    @Test(arguments: ["10.0.0.5", "fd00::5", "fd00:0:0::0005", "FD00:0:0:0:0:0:0:5", "10.0.0.5/8"])
    func `an address in use is refused in every spelling`(address: String) throws {
        #expect(try only { $0.target.addressesInUse = [address] }?.mark == "addresses refusal")
        #expect(try found { $0.source.addressesInUse = [address] } == [])
    }

    @Test func `host ids must be the target's to give`() throws {
        #expect(try only { $0.target.idRange = nil }?.mark == "id-map refusal")
        for range in [
            IDMap(hostStart: 100_000, count: 65_535), IDMap(hostStart: 0, count: 0),
        ] {
            #expect(try only { $0.target.idRange = range }?.mark == "id-map refusal")
        }
        #expect(
            try found {
                $0.target.idRange = IDMap(hostStart: 100_001, count: 900_000)
                $0.definition.mounts = []
            } == [])
        #expect(
            try found { $0.target.idRange = IDMap(hostStart: 100_000, count: 65_536) } == [])
        #expect(
            try found {
                $0.target.idRange = nil
                $0.definition.idMap = nil
            } == [])
        #expect(
            try only { $0.definition.idMap = IDMap(hostStart: .max, count: .max) }?.mark
                == "id-map refusal")
    }

    @Test func `files of the host keep their owners where the instance's ids change`() throws {
        let finding = try only {
            $0.target.idRange = IDMap(hostStart: 900_000, count: 65_536)
            $0.definition.mounts = [
                MountDefinition(hostPath: "/srv/data", path: "/data", isReadOnly: false)
            ]
            $0.target.mountablePaths = ["/srv/data"]
        }
        #expect(finding?.mark == "id-map warning")
        #expect(finding?.cause.contains("900000 to 965535") == true)
    }

    @Test func `clocks may differ by a second, and by a minute for a warning`() throws {
        let change = { (difference: Int64) in
            { (pair: inout Comparison) in
                pair.target.clock = Timestamp(
                    milliseconds: pair.source.clock.milliseconds + difference)
            }
        }
        #expect(try found(.live, change(1_000)) == [])
        #expect(try found(.live, change(-1_000)) == [])
        #expect(try only(.live, change(-1_001))?.cause == "the target's clock is 1 s behind")
        #expect(try only(.live, change(60_000))?.mark == "clock warning")
        #expect(try only(.live, change(60_001))?.mark == "clock refusal")
        #expect(try only(.cold, change(-90_000))?.mark == "clock warning")
        #expect(
            try only {
                $0.source.clock = Timestamp(milliseconds: .min)
                $0.target.clock = Timestamp(milliseconds: .max)
            }?.mark == "clock refusal")
    }

    @Test func `rsync is needed on both hosts with attributes`() throws {
        #expect(
            try only(.cold) { $0.target.rsync = nil }?.cause
                == "rsync is not installed on the target"
        )
        #expect(try only { $0.source.rsync = nil }?.mark == "rsync refusal")
        #expect(
            try only { $0.target.rsync?.features.remove("ACLs") }?.cause.contains("without ACLs")
                == true)
        #expect(
            try found {
                $0.instance.volumes = []
                $0.target.rsync = nil
            } == [])
    }

    @Test func `btrfs-progs are needed on both hosts where volumes travel by them`() throws {
        let both = { (comparison: inout Comparison) in
            comparison.instance.volumes[0].methods = [.btrfs, .rsync]
            comparison.source.pools[0].driver = "btrfs"
            comparison.target.pools[0].driver = "btrfs"
            comparison.source.btrfs = ToolFacts(name: "btrfs", version: Version(6, 2))
            comparison.target.btrfs = ToolFacts(name: "btrfs", version: Version(6, 2))
            comparison.target.rsync = nil
        }
        #expect(try found { both(&$0) } == [])
        let finding = try only {
            both(&$0)
            $0.target.btrfs = nil
        }
        #expect(finding?.mark == "btrfs refusal")
        let other = try only {
            both(&$0)
            $0.target.pools[0].driver = "directory"
        }
        #expect(other?.mark == "rsync refusal")
    }

    @Test func `zfs is needed on both hosts where volumes travel by it`() throws {
        let both = { (comparison: inout Comparison) in
            comparison.instance.volumes[0].methods = [.zfs, .rsync]
            comparison.source.pools[0].driver = "zfs"
            comparison.target.pools[0].driver = "zfs"
            comparison.source.zfs = ToolFacts(name: "zfs", version: Version(2, 3))
            comparison.target.zfs = ToolFacts(name: "zfs", version: Version(0))
        }
        #expect(try found { both(&$0) } == [])
        let finding = try only {
            both(&$0)
            $0.target.zfs = nil
        }
        #expect(finding?.mark == "zfs refusal")
    }

    @Test func `LVM and what reads its metadata are needed where volumes travel by blocks`() throws
    {
        let lvm = ToolFacts(
            name: "lvm", version: Version(2, 3, 16), features: [ToolFacts.thinDump])
        let both = { (comparison: inout Comparison) in
            comparison.instance.volumes[0].methods = [.lvm, .rsync]
            comparison.source.pools[0].driver = "lvm"
            comparison.target.pools[0].driver = "lvm"
            (comparison.source.lvm, comparison.target.lvm) = (lvm, lvm)
        }
        #expect(try found { both(&$0) } == [])
        for change: @Sendable (inout HostFacts) -> Void in [
            { $0.lvm = nil }, { $0.lvm?.features = [] },
        ] {
            let finding = try only {
                both(&$0)
                change(&$0.target)
            }
            #expect(finding?.mark == "lvm refusal")
        }
    }

    @Test func `small pipes are a warning for a live move`() throws {
        #expect(try only { $0.target.pipeLimit = .kibibytes(64) }?.mark == "pipes warning")
        #expect(try found(.cold) { $0.target.pipeLimit = .zero } == [])
    }

    @Test(arguments: ObstacleKind.allCases)
    func `every obstacle refuses a live move and has a cure of its kind`(kind: ObstacleKind) throws
    {
        let obstacle = Obstacle(kind: kind.rawValue, process: "a (pid 1)", detail: "has x open")
        let finding = try only { $0.instance.obstacles = [obstacle] }
        #expect(finding?.mark == "obstacles refusal")
        #expect(finding?.cause == "a (pid 1) has x open (\(kind.rawValue))")
        #expect(finding?.cure != "move with --cold")
        #expect(try found(.cold) { $0.instance.obstacles = [obstacle] } == [])
    }

    @Test func `an obstacle of a kind unknown here still refuses`() throws {
        let obstacle = Obstacle(kind: "newer", process: "a", detail: "b")
        #expect(try only { $0.instance.obstacles = [obstacle] }?.cure == "move with --cold")
    }
}
