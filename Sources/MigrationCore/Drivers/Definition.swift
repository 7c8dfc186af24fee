/// Which driver handles an instance.
package enum InstanceKind: String, Codable, Sendable, CaseIterable {
    case oci
}

/// All that is needed to make an instance anew on any host: it travels with a migration.
package struct InstanceDefinition: Codable, Equatable, Sendable {
    package var name: InstanceName
    package var kind: InstanceKind
    package var process: ProcessDefinition
    package var limits: ResourceLimits
    /// How the instance's user and group ids appear on the host; nil for a privileged instance.
    package var idMap: IDMap?
    package var interfaces: [InterfaceDefinition]
    package var mounts: [MountDefinition]
    /// Nil in definitions of versions that did not know them.
    package var ports: [PortDefinition]?
    /// The pool that holds the root volume.
    package var pool: String
    package var created: Timestamp
    /// What it was launched from; nil if that was no image of the host's.
    package var image: InstanceImage?
    /// Nil if snapshots are taken by hand alone.
    package var snapshotSchedule: SnapshotSchedule?
    /// Nil in definitions of versions that did not know it, until the daemon gives it one.
    package var uuid: InstanceUUID?

    package init(
        name: InstanceName,
        kind: InstanceKind = .oci,
        process: ProcessDefinition,
        limits: ResourceLimits = ResourceLimits(),
        idMap: IDMap?,
        interfaces: [InterfaceDefinition] = [],
        mounts: [MountDefinition] = [],
        ports: [PortDefinition]? = nil,
        pool: String = "default",
        created: Timestamp,
        image: InstanceImage? = nil,
        uuid: InstanceUUID? = nil
    ) {
        self.uuid = uuid
        self.image = image
        self.ports = ports
        self.name = name
        self.kind = kind
        self.process = process
        self.limits = limits
        self.idMap = idMap
        self.interfaces = interfaces
        self.mounts = mounts
        self.pool = pool
        self.created = created
    }
}

/// The first process of an instance.
package struct ProcessDefinition: Codable, Equatable, Sendable {
    package var command: [String]
    /// `NAME=value`, in the order in which the process receives them.
    package var environment: [String]
    package var workingDirectory: String
    /// Ids inside the instance.
    package var userID: UInt32
    package var groupID: UInt32

    package init(
        command: [String],
        environment: [String] = ProcessDefinition.defaultEnvironment,
        workingDirectory: String = "/",
        userID: UInt32 = 0,
        groupID: UInt32 = 0
    ) {
        self.command = command
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.userID = userID
        self.groupID = groupID
    }

    package static let defaultEnvironment = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "TERM=linux",
    ]
}

/// One contiguous range: id `i` inside is `hostStart + i` outside, for `i` below `count`.
package struct IDMap: Codable, Hashable, Sendable {
    package var hostStart: UInt32
    package var count: UInt32

    package init(hostStart: UInt32, count: UInt32) {
        self.hostStart = hostStart
        self.count = count
    }
}

/// How an interface of an instance hangs on one of its host, in the words of LXD and Incus.
package enum NICType: String, Codable, Sendable, CaseIterable {
    /// A veth whose host end is a port of a bridge.
    case bridged
    /// A hardware address of its own on an interface of the host.
    case macvlan
}

/// A network interface of an instance.
package struct InterfaceDefinition: Codable, Equatable, Sendable {
    /// The name inside, such as `eth0`.
    package var name: String
    /// The host's interface that it hangs on: a bridge, or a macvlan's parent.
    package var bridge: String
    /// Six hexadecimal pairs with colons, in lower case.
    package var hardwareAddress: String
    /// Addresses with their prefix length, such as `10.0.0.5/24` or `fd00::5/64`.
    package var addresses: [String]
    /// Default gateways, at most one per address family.
    package var gateways: [String]
    package var mtu: UInt32
    /// Besides the default; nil in definitions of versions that did not know them.
    package var routes: [RouteDefinition]?
    /// There while the interface is joined to the network of the host that the instance has left,
    /// and not to the bridge.
    package var cable: CableEnds?
    /// When that ends.
    package var cableEnds: Timestamp?
    /// Nil for a bridged one.
    package var nicType: NICType?

    /// The kernel's for an Ethernet.
    package static let usualMTU: UInt32 = 1500

    package init(
        name: String,
        bridge: String,
        hardwareAddress: String,
        addresses: [String],
        gateways: [String] = [],
        mtu: UInt32 = InterfaceDefinition.usualMTU,
        routes: [RouteDefinition]? = nil,
        nicType: NICType? = nil
    ) {
        self.nicType = nicType
        self.name = name
        self.bridge = bridge
        self.hardwareAddress = hardwareAddress
        self.addresses = addresses
        self.gateways = gateways
        self.mtu = mtu
        self.routes = routes
    }
}

extension InterfaceDefinition {
    package var isMacvlan: Bool { nicType == .macvlan }
}

/// A way that an instance's packets to one network take.
package struct RouteDefinition: Codable, Hashable, Sendable {
    /// A network with its prefix length, such as `10.1.0.0/16`.
    package var network: String
    package var gateway: String

    package init(network: String, gateway: String) {
        self.network = network
        self.gateway = gateway
    }
}

/// Something of the host's that the instance sees: a path, or a named volume.
package struct MountDefinition: Codable, Equatable, Sendable {
    /// Of a volume: empty, except for an instance's driver, which is told where it is.
    package var hostPath: String
    package var path: String
    package var isReadOnly: Bool
    /// Nil for a path of the host's.
    package var volume: VolumeReference?

    package init(
        hostPath: String = "", path: String, isReadOnly: Bool, volume: VolumeReference? = nil
    ) {
        self.hostPath = hostPath
        self.path = path
        self.isReadOnly = isReadOnly
        self.volume = volume
    }

    /// One of both may be left out.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        volume = try container.decodeIfPresent(VolumeReference.self, forKey: .volume)
        hostPath =
            volume == nil
            ? try container.decode(String.self, forKey: .hostPath)
            : try container.decodeIfPresent(String.self, forKey: .hostPath) ?? ""
        path = try container.decode(String.self, forKey: .path)
        isReadOnly = try container.decode(Bool.self, forKey: .isReadOnly)
    }
}
