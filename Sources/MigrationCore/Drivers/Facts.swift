/// What a host is and has, read at one moment; the checks compare two of these.
package struct HostFacts: Codable, Equatable, Sendable {
    package var hostname: String
    package var clock: Timestamp
    package var architecture: String
    package var kernel: Version
    package var kernelFeatures: Set<String>
    /// The `flags` line of /proc/cpuinfo (`Features` on arm64).
    package var processorFeatures: Set<String>
    package var criu: ToolFacts?
    package var runtimes: [ToolFacts]
    package var rsync: ToolFacts?
    package var cgroup: CgroupFacts
    /// Filesystem types that the kernel knows now, without loading a module.
    package var filesystems: Set<String>
    package var pools: [PoolFacts]
    package var memoryAvailable: ByteCount
    package var bridges: Set<String>
    /// The addresses that the host itself has on its bridges, with prefix length (`10.0.0.1/24`).
    package var bridgeNetworks: [String: Set<String>]
    package var instanceNames: Set<String>
    /// Addresses (without prefix length) that an instance of this host holds or that answered a
    /// probe.
    package var addressesInUse: Set<String>
    /// The range from which host ids may be given to instances; nil where none is configured.
    package var idRange: IDMap?
    /// Host paths that exist here, of those that the offered instance mounts.
    package var mountablePaths: Set<String>
    /// Devices that exist here, of those that the offered instance's limits name; nil from a host
    /// that does not tell.
    package var devices: [String: DeviceNumber]?
    /// The processors that are online; nil from a host that does not tell.
    package var processors: ProcessorSet?
    /// `/proc/sys/fs/pipe-max-size`.
    package var pipeLimit: ByteCount
    /// Nil from a version that publishes no ports.
    package var publishing: PublishingFacts?
    /// Interfaces that exist here, of those that are parents of the offered instance's macvlans;
    /// nil from a version that makes none.
    package var parents: [String: ParentFacts]?
    /// btrfs-progs; nil where it is missing, and from a host that does not tell.
    package var btrfs: ToolFacts?
    /// The command line of ZFS, of version 0 where it is older than OpenZFS 0.8 (zfs-fuse); nil
    /// where it is missing, and from a host that does not tell.
    package var zfs: ToolFacts?
    /// Named volumes that are here, of those that the offered instance mounts; nil from a host that
    /// does not tell.
    package var namedVolumes: Set<VolumeReference>?
    /// LVM; nil where it is missing, and from a host that does not tell.
    package var lvm: ToolFacts?

    package init(
        hostname: String,
        clock: Timestamp,
        architecture: String,
        kernel: Version,
        kernelFeatures: Set<String>,
        processorFeatures: Set<String>,
        criu: ToolFacts?,
        runtimes: [ToolFacts],
        rsync: ToolFacts?,
        cgroup: CgroupFacts,
        filesystems: Set<String>,
        pools: [PoolFacts],
        memoryAvailable: ByteCount,
        bridges: Set<String>,
        bridgeNetworks: [String: Set<String>] = [:],
        instanceNames: Set<String>,
        addressesInUse: Set<String>,
        idRange: IDMap?,
        mountablePaths: Set<String>,
        devices: [String: DeviceNumber]? = nil,
        processors: ProcessorSet? = nil,
        pipeLimit: ByteCount,
        publishing: PublishingFacts? = nil,
        parents: [String: ParentFacts]? = nil,
        btrfs: ToolFacts? = nil,
        zfs: ToolFacts? = nil,
        lvm: ToolFacts? = nil
    ) {
        self.zfs = zfs
        self.lvm = lvm
        self.btrfs = btrfs
        self.parents = parents
        self.publishing = publishing
        self.hostname = hostname
        self.clock = clock
        self.architecture = architecture
        self.kernel = kernel
        self.kernelFeatures = kernelFeatures
        self.processorFeatures = processorFeatures
        self.criu = criu
        self.runtimes = runtimes
        self.rsync = rsync
        self.cgroup = cgroup
        self.filesystems = filesystems
        self.pools = pools
        self.memoryAvailable = memoryAvailable
        self.bridges = bridges
        self.bridgeNetworks = bridgeNetworks
        self.instanceNames = instanceNames
        self.addressesInUse = addressesInUse
        self.idRange = idRange
        self.mountablePaths = mountablePaths
        self.devices = devices
        self.processors = processors
        self.pipeLimit = pipeLimit
    }
}

/// An interface of a host that may carry macvlans.
package struct ParentFacts: Codable, Equatable, Sendable {
    package var isUp: Bool
    package var isEthernet: Bool
    /// The bridge, bond or other interface that it belongs to, and that has its frames.
    package var master: String?
    package var mtu: UInt32

    package init(isUp: Bool, isEthernet: Bool = true, master: String? = nil, mtu: UInt32) {
        self.isUp = isUp
        self.isEthernet = isEthernet
        self.master = master
        self.mtu = mtu
    }
}

/// A dotted version of one to four numbers, compared number by number: 4.2 and 4.2.0 are equal.
package struct Version: Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package static let longest = 4

    package let numbers: [UInt32]

    package init(_ numbers: UInt32...) {
        precondition((1...Self.longest).contains(numbers.count))
        self.numbers = numbers
    }

    /// Reads the leading numbers of texts such as `6.18.44-fc` or `1.1.5+ds1`; nil if the text does
    /// not start with a number.
    package init?(parsing text: some StringProtocol) {
        var numbers: [UInt32] = []
        for part in text.split(separator: ".", omittingEmptySubsequences: false) {
            let digits = part.prefix { $0.isASCII && $0.isNumber }
            guard numbers.count < Self.longest, let number = UInt32(digits) else { break }
            numbers.append(number)
            guard digits.endIndex == part.endIndex else { break }
        }
        guard !numbers.isEmpty else { return nil }
        self.numbers = numbers
    }

    /// A version travels as its text.
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let version = Version(parsing: text), version.description == text else {
            throw GodwitError(
                .badRequest, "\"\(text.prefix(40))\" is not a version",
                remedy: "use one to four numbers with dots between them"
            )
        }
        self = version
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package var description: String { numbers.map(String.init).joined(separator: ".") }

    package static func == (left: Version, right: Version) -> Bool {
        left.padded == right.padded
    }

    package static func < (left: Version, right: Version) -> Bool {
        left.padded.lexicographicallyPrecedes(right.padded)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(padded) }

    private var padded: [UInt32] {
        precondition(numbers.count <= Self.longest)
        return numbers + [UInt32](repeating: 0, count: Self.longest - numbers.count)
    }
}

/// An external tool as it was found.
package struct ToolFacts: Codable, Equatable, Sendable {
    package var name: String
    package var version: Version
    /// What the tool says it can do, in its own words (`criu check --feature`, `rsync --version`),
    /// and the words below.
    package var features: Set<String>

    /// CRIU: `criu check` found nothing missing.
    package static let checkPassed = "check"
    /// A runtime: built with checkpoint and restore.
    package static let checkpoint = "checkpoint"
    /// LVM: thin-provisioning-tools are there as well.
    package static let thinDump = "thin_dump"

    package init(name: String, version: Version, features: Set<String> = []) {
        self.name = name
        self.version = version
        self.features = features
    }
}

/// The control group hierarchy that instances are put into.
package struct CgroupFacts: Codable, Equatable, Sendable {
    /// 1 where the controllers are in hierarchies of version 1 (an empty version 2 beside them does
    /// not count), 2 where they are in the unified one, 0 where none is mounted.
    package var version: Int
    package var controllers: Set<String>
    /// Raw values of `CgroupAbility`; nil from a host that does not tell.
    package var abilities: Set<String>?

    package init(
        version: Int, controllers: Set<String>, abilities: Set<String>? = nil
    ) {
        self.version = version
        self.controllers = controllers
        self.abilities = abilities
    }
}

/// What a controller has on some kernels and lacks on others.
package enum CgroupAbility: String, Sendable, CaseIterable {
    /// The io scheduler BFQ keeps weights: `blkio.bfq.weight`, `io.bfq.weight`.
    case bfqWeight
    /// The cost model keeps weights: `io.weight`, in version 2 alone.
    case costWeight
    /// Swapped memory is accounted: `memory.memsw.*`, `memory.swap.*`.
    case swap
    /// A hierarchy of version 1 without a controller is there for systemd.
    case systemd
}

package struct PoolFacts: Codable, Equatable, Sendable {
    package var name: String
    package var driver: String
    package var filesystem: String
    package var available: ByteCount
    /// What kept copies take, which make room for what comes; nil from a host that does not tell.
    package var reclaimable: ByteCount?
    /// Of a pool that other hosts may see: what the source has written to it for this move; on the
    /// target only where it is there, too.
    package var token: SharedToken?

    package init(
        name: String, driver: String, filesystem: String, available: ByteCount,
        reclaimable: ByteCount? = nil, token: SharedToken? = nil
    ) {
        self.reclaimable = reclaimable
        self.token = token
        self.name = name
        self.driver = driver
        self.filesystem = filesystem
        self.available = available
    }
}

/// What an instance is at one moment, as far as it decides whether it can move.
package struct InstanceFacts: Codable, Equatable, Sendable {
    package var status: InstanceStatus
    package var memory: ByteCount
    /// Nil if all of it travels in a checkpoint's images.
    package var division: MemoryDivision?
    package var processes: Int
    package var volumes: [VolumeFacts]
    /// What CRIU cannot dump, found in /proc before anything freezes.
    package var obstacles: [Obstacle]
    /// Oldest first; nil from versions that know none.
    package var snapshots: [Snapshot]?

    package init(
        status: InstanceStatus,
        memory: ByteCount,
        division: MemoryDivision? = nil,
        processes: Int,
        volumes: [VolumeFacts],
        obstacles: [Obstacle],
        snapshots: [Snapshot]? = nil
    ) {
        self.snapshots = snapshots
        self.status = status
        self.memory = memory
        self.division = division
        self.processes = processes
        self.volumes = volumes
        self.obstacles = obstacles
    }
}

/// How the memory of a running instance travels.
package struct MemoryDivision: Codable, Equatable, Sendable {
    /// Page by page; each process's own view of what several share since a fork.
    package var pages: ByteCount
    /// In a checkpoint's images: shared and locked memory, huge pages, changed pages of files, and
    /// files in memory.
    package var images: ByteCount

    package init(pages: ByteCount, images: ByteCount) {
        self.pages = pages
        self.images = images
    }
}

package struct VolumeFacts: Codable, Equatable, Sendable {
    package var name: String
    package var used: ByteCount
    /// How it can travel, best first.
    package var methods: [VolumeMethod]
    /// What its snapshots may take besides, where nothing is shared between them.
    package var usedBySnapshots: ByteCount?
    /// Other instances that have it; nil from versions that know no named volumes.
    package var users: [InstanceName]?

    package init(
        name: String, used: ByteCount, methods: [VolumeMethod],
        usedBySnapshots: ByteCount? = nil, users: [InstanceName]? = nil
    ) {
        self.users = users
        self.usedBySnapshots = usedBySnapshots
        self.name = name
        self.used = used
        self.methods = methods
    }

    /// Methods of a newer peer that are not known here are passed over.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        used = try container.decode(ByteCount.self, forKey: .used)
        methods = try container.decode([String].self, forKey: .methods)
            .compactMap { VolumeMethod(rawValue: $0) }
        usedBySnapshots = try container.decodeIfPresent(ByteCount.self, forKey: .usedBySnapshots)
        users = try container.decodeIfPresent([InstanceName].self, forKey: .users)
    }
}

/// How a volume's bytes travel. Each driver offers its methods best first; any two agree on
/// `rsync`. A driver's own method is called as it is.
package enum VolumeMethod: String, Codable, Sendable, CaseIterable {
    case btrfs, zfs, overlay, shared, rsync
    case lvm
}

/// One thing in a running instance that keeps it from being checkpointed.
package struct Obstacle: Codable, Equatable, Sendable {
    /// A stable word, the raw value of an `ObstacleKind`.
    package var kind: String
    /// Name and number on the host, such as `postgres (pid 4711)`.
    package var process: String
    /// What the process has or does, to be read after its name: `has an io_uring instance open (fd
    /// 5)`.
    package var detail: String

    package init(kind: String, process: String, detail: String) {
        self.kind = kind
        self.process = process
        self.detail = detail
    }
}

/// The life of an instance as users see it; the codes of the LXD and Incus API belong to `API`.
package enum InstanceStatus: String, Codable, Sendable {
    case stopped, running, frozen, error
}

/// Reads what this host is and has.
package protocol HostFactsReading: Sendable {
    /// - Parameters:
    ///   - pools, instanceNames, instanceAddresses: what only the daemon knows; copied into the
    ///     facts.
    ///   - definition: the offered instance, whose mounts and addresses are looked up here.
    func facts(
        pools: [PoolFacts], instanceNames: Set<String>, instanceAddresses: Set<String>,
        for definition: InstanceDefinition?
    ) async throws -> HostFacts
    /// The addresses, without prefix lengths, that somebody other than the instance itself answers
    /// for on this host's bridges.
    func answeredAddresses(of definition: InstanceDefinition) async -> Set<String>
}

extension HostFactsReading {
    /// Nobody can be asked.
    package func answeredAddresses(of definition: InstanceDefinition) async -> Set<String> { [] }
}
