/// Everything that can be asked of a host: the engine fulfils it, the API offers it to clients.
package protocol HostControl: VolumeControl {
    func information() async throws -> HostInformation
    /// What this host can and cannot do, as findings about itself.
    func check() async throws -> HostCheck

    func instances() async throws -> [InstanceView]
    func instance(_ name: InstanceName) async throws -> InstanceView
    /// Makes an instance from a root filesystem and, unless told otherwise, starts it.
    func launch(_ request: LaunchRequest) async throws
    func start(_ name: InstanceName, _ use: StateUse) async throws
    func stop(_ name: InstanceName, force: Bool, grace: Duration) async throws
    /// Stops the instance and saves its processes' state, from which `start` goes on.
    func stopStateful(_ name: InstanceName) async throws
    func restart(_ name: InstanceName, force: Bool, grace: Duration) async throws
    func freeze(_ name: InstanceName) async throws
    func unfreeze(_ name: InstanceName) async throws
    func delete(_ name: InstanceName, force: Bool) async throws
    func rename(_ name: InstanceName, to newName: InstanceName) async throws
    /// Makes a stopped instance of another one, or of a snapshot of it.
    func copy(_ request: CopyRequest) async throws

    /// Oldest first.
    func snapshots(of name: InstanceName) async throws -> [SnapshotView]
    func snapshot(_ snapshot: SnapshotName, of name: InstanceName) async throws -> SnapshotView
    /// Throws `nameTaken`, `limitExceeded`, `noSpace`; the instance goes on as it was.
    func createSnapshot(_ request: SnapshotRequest) async throws -> SnapshotView
    /// Makes the instance's files what they were then; one that runs is killed. From a stateful
    /// snapshot it goes on, unless the state is not to be used (`never`); else one that ran is
    /// started anew.
    func restoreSnapshot(
        _ snapshot: SnapshotName, of name: InstanceName, _ use: StateUse
    ) async throws
    func deleteSnapshot(_ snapshot: SnapshotName, of name: InstanceName) async throws
    /// - Parameter expires: nil for never.
    func setExpiry(
        _ expires: Timestamp?, of snapshot: SnapshotName, of name: InstanceName
    ) async throws
    /// - Parameter schedule: nil for none.
    func setSchedule(_ schedule: SnapshotSchedule?, of name: InstanceName) async throws

    func log(_ name: InstanceName, limit: ByteCount) async throws -> [UInt8]
    func execute(_ request: ExecuteRequest, in name: InstanceName) async throws -> Int32

    /// Both hosts' findings and the plan, without touching anything.
    func planMove(_ request: MoveRequest) async throws -> MovePreview
    /// Moves the instance; returns when it runs on the target and is gone here, throws if it did
    /// not move. `started` is called once, as soon as the migration has its id.
    func move(
        _ request: MoveRequest,
        started: @escaping @Sendable (MigrationID) -> Void,
        progress: @escaping @Sendable (MigrationProgress) -> Void
    ) async throws -> MigrationReport
    /// Throws `busy` where it is too late.
    func cancelMigration(_ id: MigrationID) async throws
    /// Bytes a second at most for all that the migration sends from here; nil for no limit. Throws
    /// `busy` once it is over.
    func setBandwidth(_ bandwidth: ByteCount?, of id: MigrationID) async throws
    /// Newest first; of one instance, or of all.
    func migrations(of name: InstanceName?) async throws -> [MigrationReport]
    func migration(_ id: MigrationID) async throws -> MigrationReport
    /// The live progress of a running migration; nil once it is over.
    func progress(of id: MigrationID) async throws -> MigrationProgress?
    func resolve(_ name: InstanceName, _ resolution: Resolution) async throws

    /// Traffic that follows instances from here, or comes to them from where they were.
    func forwards() async throws -> [Forward]
    /// Throws `notFound` if no traffic of such an instance is forwarded.
    func endForward(_ name: InstanceName) async throws

    /// By name.
    func pools() async throws -> [PoolView]
    func pool(_ name: String) async throws -> PoolView
    /// Throws `nameTaken`, and whatever keeps it from being made.
    func createPool(_ definition: PoolDefinition) async throws
    func growPool(_ name: String, to size: ByteCount) async throws
    /// Throws `busy` if instances are in it. Copies that are kept there go with it.
    func deletePool(_ name: String) async throws
    /// Removes what is kept there of instances that have left; returns what that was.
    func prunePool(_ name: String) async throws -> [KeptCopy]

    /// By digest.
    func images() async throws -> [ImageView]
    /// Throws `notFound`, or `badRequest` if the digests of several begin so.
    func image(_ name: ImageName) async throws -> ImageView
    /// Throws `nameTaken` if another image has the alias.
    func importImage(_ request: ImageImport) async throws -> ImageView
    func exportImage(_ name: ImageName, to path: String) async throws
    /// Removes the image with all its aliases. Throws `busy` while it is launched or exported.
    func deleteImage(_ name: ImageName) async throws

    func remotes() async throws -> [RemoteView]
    func addRemote(_ name: RemoteName, token: String) async throws
    func removeRemote(_ name: RemoteName) async throws
    func trusted() async throws -> [PeerIdentity]
    /// A one-time token with which another host, to be called `name` here, can complete the trust.
    func addTrust(_ name: RemoteName) async throws -> String
    func removeTrust(_ name: RemoteName) async throws
    /// Completes a token exchange that a host not yet trusted has begun.
    func redeem(_ request: TokenRedemption) async throws -> TokenAcceptance
}

package struct HostInformation: Codable, Equatable, Sendable {
    package var name: String
    package var version: String
    package var fingerprint: String
    package var address: String
    package var facts: HostFacts

    package init(
        name: String,
        version: String,
        fingerprint: String,
        address: String,
        facts: HostFacts
    ) {
        self.name = name
        self.version = version
        self.fingerprint = fingerprint
        self.address = address
        self.facts = facts
    }
}

package struct HostCheck: Codable, Equatable, Sendable {
    package var facts: HostFacts
    package var findings: [Finding]

    package init(facts: HostFacts, findings: [Finding]) {
        self.facts = facts
        self.findings = findings
    }
}

/// An instance as `list` and `info` show it.
package struct InstanceView: Codable, Equatable, Sendable {
    package var definition: InstanceDefinition
    package var observation: InstanceObservation
    /// The migration that has it now.
    package var migration: MigrationID?
    /// What `start` goes on from.
    package var state: SavedState?
    /// Oldest first.
    package var snapshots: [Snapshot]

    package init(
        definition: InstanceDefinition,
        observation: InstanceObservation,
        migration: MigrationID?,
        state: SavedState? = nil,
        snapshots: [Snapshot] = []
    ) {
        self.state = state
        self.definition = definition
        self.observation = observation
        self.migration = migration
        self.snapshots = snapshots
    }
}

/// A new instance: its definition's parts and where its root filesystem comes from.
package struct LaunchRequest: Codable, Equatable, Sendable {
    package var name: InstanceName
    package var root: RootSource
    /// Empty: what the image says, else `/bin/sh`.
    package var command: [String]
    /// `NAME=value`.
    package var environment: [String]
    package var workingDirectory: String?
    package var userID: UInt32?
    package var groupID: UInt32?
    package var limits: ResourceLimits
    package var isPrivileged: Bool
    package var interfaces: [InterfaceRequest]
    package var mounts: [MountDefinition]
    package var ports: [PortDefinition]
    package var pool: String
    package var starts: Bool

    package init(
        name: InstanceName,
        root: RootSource,
        command: [String] = [],
        environment: [String] = [],
        workingDirectory: String? = nil,
        userID: UInt32? = nil,
        groupID: UInt32? = nil,
        limits: ResourceLimits = ResourceLimits(),
        isPrivileged: Bool = false,
        interfaces: [InterfaceRequest] = [],
        mounts: [MountDefinition] = [],
        ports: [PortDefinition] = [],
        pool: String = "default",
        starts: Bool = true
    ) {
        self.ports = ports
        self.name = name
        self.root = root
        self.command = command
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.userID = userID
        self.groupID = groupID
        self.limits = limits
        self.isPrivileged = isPrivileged
        self.interfaces = interfaces
        self.mounts = mounts
        self.pool = pool
        self.starts = starts
    }
}

/// Where a new instance's root filesystem comes from.
package enum RootSource: Codable, Equatable, Sendable {
    /// A directory, a tar archive or an OCI image layout on the daemon's host.
    case path(String)
    /// An image that the host has.
    case image(ImageName)
}

/// An interface as it is asked for: what is left out is chosen by the host.
package struct InterfaceRequest: Codable, Equatable, Sendable {
    /// The host's interface that it hangs on: a bridge, or a macvlan's parent.
    package var bridge: String
    package var addresses: [String]
    package var gateways: [String]
    package var hardwareAddress: String?
    package var mtu: UInt32?
    package var routes: [RouteDefinition]?
    /// Nil for a bridged one.
    package var nicType: NICType?

    package init(
        bridge: String,
        addresses: [String],
        gateways: [String] = [],
        hardwareAddress: String? = nil,
        mtu: UInt32? = nil,
        routes: [RouteDefinition]? = nil,
        nicType: NICType? = nil
    ) {
        self.nicType = nicType
        self.mtu = mtu
        self.routes = routes
        self.bridge = bridge
        self.addresses = addresses
        self.gateways = gateways
        self.hardwareAddress = hardwareAddress
    }
}

package struct MoveRequest: Codable, Equatable, Sendable {
    package var name: InstanceName
    package var remote: RemoteName
    /// Nil: live if it runs, cold if not.
    package var mode: MoveOptions.Mode?
    package var tcp: MoveOptions.TCP
    package var newName: InstanceName?
    package var bandwidth: ByteCount?
    package var isPaused: Bool
    package var keepsDefinition: Bool
    /// The move is cancelled if custody has not been offered by then.
    package var timeoutSeconds: UInt32?
    package var memory: MemoryOptions
    package var holdsPackets: Bool
    /// The target's bridge for each of the source's that has another name there.
    package var networks: [String: String]?
    /// For how long traffic for it follows it after the move; nil: not at all.
    package var forwardSeconds: UInt32?
    /// Its snapshots are deleted with the original.
    package var dropsSnapshots: Bool
    /// What becomes of mounts, by their places in the instance or by paths of the host; of others
    /// what is usual.
    package var mounts: [String: MountTreatment]
    /// For how long the source keeps a copy of its files afterwards; nil: not at all.
    package var keepSeconds: UInt32?

    package init(
        name: InstanceName,
        remote: RemoteName,
        mode: MoveOptions.Mode? = nil,
        tcp: MoveOptions.TCP = .keep,
        newName: InstanceName? = nil,
        bandwidth: ByteCount? = nil,
        isPaused: Bool = false,
        keepsDefinition: Bool = false,
        timeoutSeconds: UInt32? = nil,
        memory: MemoryOptions = .standard,
        holdsPackets: Bool = true,
        networks: [String: String]? = nil,
        forwardSeconds: UInt32? = nil,
        dropsSnapshots: Bool = false,
        mounts: [String: MountTreatment] = [:],
        keepSeconds: UInt32? = nil
    ) {
        self.mounts = mounts
        self.keepSeconds = keepSeconds
        self.dropsSnapshots = dropsSnapshots
        self.forwardSeconds = forwardSeconds
        self.networks = networks
        self.memory = memory
        self.holdsPackets = holdsPackets
        self.name = name
        self.remote = remote
        self.mode = mode
        self.tcp = tcp
        self.newName = newName
        self.bandwidth = bandwidth
        self.isPaused = isPaused
        self.keepsDefinition = keepsDefinition
        self.timeoutSeconds = timeoutSeconds
    }
}

/// What `--dry-run` shows: the plan (nil if refused) and all findings.
package struct MovePreview: Codable, Equatable, Sendable {
    package var plan: Plan?
    package var findings: [Finding]

    package init(plan: Plan?, findings: [Finding]) {
        self.plan = plan
        self.findings = findings
    }
}

package struct RemoteView: Codable, Equatable, Sendable {
    package var name: RemoteName
    package var addresses: [String]
    package var fingerprint: String

    package init(name: RemoteName, addresses: [String], fingerprint: String) {
        self.name = name
        self.addresses = addresses
        self.fingerprint = fingerprint
    }
}

/// What a new host says to complete the trust, over TLS with its own certificate.
package struct TokenRedemption: Codable, Equatable, Sendable {
    package var secret: String
    /// The certificate that TLS saw, DER in base 64; never taken from the body.
    package var certificate: String
    package var name: String
    /// Where the new host listens, `address:port`.
    package var addresses: [String]

    package init(secret: String, certificate: String, name: String, addresses: [String]) {
        self.secret = secret
        self.certificate = certificate
        self.name = name
        self.addresses = addresses
    }
}

/// The answer: under which name the new host is known now.
package struct TokenAcceptance: Codable, Equatable, Sendable {
    package var name: String
    package var hostName: String

    package init(name: String, hostName: String) {
        self.name = name
        self.hostName = hostName
    }
}
