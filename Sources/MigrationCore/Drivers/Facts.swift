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
    package var instanceNames: Set<String>
    /// Addresses (without prefix length) that an instance of this host holds or that answered a probe.
    package var addressesInUse: Set<String>
    /// The range from which host ids may be given to instances; nil where none is configured.
    package var idRange: IDMap?
    /// Host paths that exist here, of those that the offered instance mounts.
    package var mountablePaths: Set<String>
    /// `/proc/sys/fs/pipe-max-size`.
    package var pipeLimit: ByteCount

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
        instanceNames: Set<String>,
        addressesInUse: Set<String>,
        idRange: IDMap?,
        mountablePaths: Set<String>,
        pipeLimit: ByteCount
    ) {
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
        self.instanceNames = instanceNames
        self.addressesInUse = addressesInUse
        self.idRange = idRange
        self.mountablePaths = mountablePaths
        self.pipeLimit = pipeLimit
    }
}

/// A dotted version, compared number by number.
package struct Version: Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package let numbers: [UInt32]

    package init(_ numbers: UInt32...) { self.numbers = numbers }

    /// Reads the leading numbers of texts such as `6.18.44-fc-v857` or `1.1.5+ds1`; nil if there are none.
    package init?(parsing text: String) {
        let head = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let numbers = head.split(separator: ".").prefix(4).compactMap { UInt32($0) }
        guard !numbers.isEmpty else { return nil }
        self.numbers = numbers
    }

    package var description: String { numbers.map(String.init).joined(separator: ".") }

    package static func < (left: Version, right: Version) -> Bool {
        for index in 0..<max(left.numbers.count, right.numbers.count) {
            let one = index < left.numbers.count ? left.numbers[index] : 0
            let other = index < right.numbers.count ? right.numbers[index] : 0
            if one != other { return one < other }
        }
        return false
    }
}

/// An external tool as it was found.
package struct ToolFacts: Codable, Equatable, Sendable {
    package var name: String
    package var version: Version
    /// What the tool says it can do, in its own words (`criu check --feature`, `+CRIU`).
    package var features: Set<String>

    package init(name: String, version: Version, features: Set<String> = []) {
        self.name = name
        self.version = version
        self.features = features
    }
}

/// The control group hierarchy that instances are put into.
package struct CgroupFacts: Codable, Equatable, Sendable {
    package var version: Int
    package var controllers: Set<String>

    package init(version: Int, controllers: Set<String>) {
        self.version = version
        self.controllers = controllers
    }
}

package struct PoolFacts: Codable, Equatable, Sendable {
    package var name: String
    package var driver: String
    package var filesystem: String
    package var available: ByteCount

    package init(name: String, driver: String, filesystem: String, available: ByteCount) {
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
    package var processes: Int
    package var volumes: [VolumeFacts]
    /// What CRIU cannot dump, found in /proc before anything freezes.
    package var obstacles: [Obstacle]

    package init(
        status: InstanceStatus,
        memory: ByteCount,
        processes: Int,
        volumes: [VolumeFacts],
        obstacles: [Obstacle]
    ) {
        self.status = status
        self.memory = memory
        self.processes = processes
        self.volumes = volumes
        self.obstacles = obstacles
    }
}

package struct VolumeFacts: Codable, Equatable, Sendable {
    package var name: String
    package var used: ByteCount
    /// How it can travel, best first.
    package var methods: [VolumeMethod]

    package init(name: String, used: ByteCount, methods: [VolumeMethod]) {
        self.name = name
        self.used = used
        self.methods = methods
    }
}

/// How a volume's bytes travel. Each driver offers its methods best first; any two agree on `rsync`.
package enum VolumeMethod: String, Codable, Sendable, CaseIterable {
    case rsync
}

/// One thing in a running instance that keeps it from being checkpointed.
package struct Obstacle: Codable, Equatable, Sendable {
    /// A stable word, such as `io-uring`, `child-user-namespace`, `open-device`.
    package var kind: String
    package var process: String
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
    ///   - pools, instanceNames, instanceAddresses: what only the daemon knows; copied into the facts.
    ///   - definition: the offered instance, whose mounts and addresses are looked up here.
    func facts(
        pools: [PoolFacts], instanceNames: Set<String>, instanceAddresses: Set<String>,
        for definition: InstanceDefinition?
    ) async throws -> HostFacts
}
