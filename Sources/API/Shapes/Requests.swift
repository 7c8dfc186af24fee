package import MigrationCore

/// `POST /1.0/instances`: what is left out gets its default.
struct InstancesPost: Codable, Sendable {
    var name: InstanceName
    /// A directory, a tar archive or an OCI image layout on the daemon's host.
    var root: String?
    /// In its place.
    var source: InstanceSource?
    var command: [String]?
    var environment: [String]?
    var cwd: String?
    var user: UInt32?
    var group: UInt32?
    var limits: ResourceLimits?
    var privileged: Bool?
    var interfaces: [InterfaceRequest]?
    var mounts: [MountDefinition]?
    var ports: [PortDefinition]?
    var pool: String?
    var start: Bool?

    /// Nil where it is no copy.
    func copyRequest() throws -> CopyRequest? {
        guard let source, source.type == .copy else { return nil }
        return try source.request(name)
    }

    func launchRequest() throws -> LaunchRequest {
        LaunchRequest(
            name: name, root: try rootSource(), command: command ?? [],
            environment: environment ?? [],
            workingDirectory: cwd, userID: user, groupID: group,
            limits: limits ?? ResourceLimits(), isPrivileged: privileged ?? false,
            interfaces: interfaces ?? [], mounts: mounts ?? [], ports: ports ?? [],
            pool: pool ?? "default", starts: start ?? true)
    }

    init(_ request: CopyRequest) {
        name = request.newName
        source = InstanceSource(request)
    }

    private func rootSource() throws -> RootSource {
        if let root, source == nil { return .path(root) }
        if let source, root == nil, source.type == .image,
            let image = source.alias ?? source.fingerprint
        {
            return .image(image)
        }
        throw GodwitError(
            .badRequest,
            root == nil
                ? "the body lacks `root`, or a `source` with what it needs"
                : "the body has both `root` and `source`",
            remedy: "give a path as `root`, or a `source` (docs/api.md)")
    }

    init(_ request: LaunchRequest) {
        name = request.name
        switch request.root {
        case .path(let path): root = path
        case .image(let image): source = InstanceSource(image: image)
        }
        command = request.command
        environment = request.environment
        cwd = request.workingDirectory
        user = request.userID
        group = request.groupID
        limits = request.limits
        privileged = request.isPrivileged
        interfaces = request.interfaces
        mounts = request.mounts
        ports = request.ports
        pool = request.pool
        start = request.starts
    }
}

/// What a new instance is made of, where it is no path.
struct InstanceSource: Codable, Sendable {
    enum Kind: String, Codable { case copy, image }

    var type: Kind
    /// Of a copy: an instance, or `INSTANCE/SNAPSHOT`.
    var source: String?
    var addresses: [String]?
    var keepAddresses: Bool?
    /// Of a copy: the remote that gets it.
    var target: RemoteName?
    /// Of an image of the host's store: one of its two names.
    var alias: ImageName?
    var fingerprint: ImageName?

    enum CodingKeys: String, CodingKey {
        case type, source, addresses, target, alias, fingerprint
        case keepAddresses = "keep_addresses"
    }

    func request(_ newName: InstanceName) throws -> CopyRequest {
        CopyRequest(
            source: try SnapshotPath(source ?? ""), newName: newName, addresses: addresses,
            keepsAddresses: keepAddresses ?? false, remote: target)
    }

    init(_ request: CopyRequest) {
        type = .copy
        source = request.path.description
        addresses = request.addresses
        keepAddresses = request.keepsAddresses
        target = request.remote
    }

    init(image: ImageName) {
        type = .image
        alias = image
    }
}

/// `PUT /1.0/instances/NAME`.
struct InstancePut: Codable, Sendable {
    /// The snapshot whose files it gets.
    var restore: SnapshotName
    var stateful: Bool?
}

/// `PATCH /1.0/instances/NAME`.
struct InstancePatch: Codable, Sendable {
    struct Schedule: Codable, Sendable {
        /// As crontab(5) writes them; empty for none.
        var times: String
        /// Seconds; left out: for ever.
        var kept: UInt32?
        var stateful: Bool?
    }

    var snapshots: Schedule

    init(_ schedule: SnapshotSchedule?) {
        snapshots = Schedule(
            times: schedule?.times.description ?? "", kept: schedule?.keptSeconds,
            stateful: schedule?.isStateful)
    }

    func schedule() throws -> SnapshotSchedule? {
        guard !snapshots.times.isEmpty else { return nil }
        guard (1...Limit.snapshotSeconds).contains(snapshots.kept ?? 1) else {
            throw GodwitError(
                .badRequest, "snapshots cannot be kept for \(snapshots.kept ?? 0) seconds",
                remedy: "give 1 to \(Limit.snapshotSeconds), or leave it out")
        }
        return SnapshotSchedule(
            times: try CronTimes(snapshots.times), keptSeconds: snapshots.kept,
            isStateful: snapshots.stateful ?? false)
    }
}

/// `POST /1.0/instances/NAME`: a rename, or with `migration` a move to the remote `target`.
struct InstancePost: Codable, Sendable {
    var name: InstanceName?
    var migration: Bool?
    var target: RemoteName?
    /// Left out: live if it runs, cold if not.
    var live: Bool?
    var tcp: MoveOptions.TCP?
    /// Bytes a second.
    var bandwidth: ByteCount?
    var paused: Bool?
    var keepDefinition: Bool?
    var timeout: UInt32?
    var memory: MemoryOptions?
    var holdPackets: Bool?
    /// The target's bridges, by those of the source that have another name there.
    var networks: [String: String]?
    /// Seconds.
    var forward: UInt32?
    var withoutSnapshots: Bool?
    /// What becomes of mounts (`move`, `share`, `skip`, `refuse`, or a path of the target's), by
    /// their places in the instance or by paths of the host.
    var mounts: [String: MountTreatment]?
    /// Seconds for which a copy of the files is kept at the source; 0 for not at all, left out:
    /// a week.
    var keepCopy: UInt32?

    enum CodingKeys: String, CodingKey {
        case name, migration, target, live, tcp, bandwidth, paused, memory, networks, forward
        case mounts
        case keepDefinition = "keep_definition"
        case holdPackets = "hold_packets"
        case withoutSnapshots = "without_snapshots"
        case keepCopy = "keep_copy"
        case timeout
    }

    init(name: InstanceName) { self.name = name }

    init(_ request: MoveRequest) {
        name = request.newName
        migration = true
        target = request.remote
        live = request.mode.map { $0 == .live }
        tcp = request.tcp
        bandwidth = request.bandwidth
        paused = request.isPaused
        keepDefinition = request.keepsDefinition
        timeout = request.timeoutSeconds
        memory = request.memory
        holdPackets = request.holdsPackets
        networks = request.networks
        forward = request.forwardSeconds
        withoutSnapshots = request.dropsSnapshots
        mounts = request.mounts.isEmpty ? nil : request.mounts
        keepCopy = request.keepSeconds ?? 0
    }

    func moveRequest(of instance: InstanceName) throws -> MoveRequest {
        guard let target else {
            throw GodwitError(
                .badRequest, "a move needs a `target`",
                remedy: "give the remote's name as `target`")
        }
        return MoveRequest(
            name: instance, remote: target, mode: live.map { $0 ? .live : .cold },
            tcp: tcp ?? .keep, newName: name, bandwidth: bandwidth, isPaused: paused ?? false,
            keepsDefinition: keepDefinition ?? false, timeoutSeconds: timeout,
            memory: memory ?? .standard, holdsPackets: holdPackets ?? true, networks: networks,
            forwardSeconds: forward, dropsSnapshots: withoutSnapshots ?? false,
            mounts: mounts ?? [:],
            keepSeconds: keepCopy == 0 ? nil : keepCopy ?? Limit.usualKeptSeconds)
    }
}

/// `PUT /1.0/instances/NAME/state`.
struct StatePut: Codable, Sendable {
    enum Action: String, Codable, CaseIterable { case start, stop, restart, freeze, unfreeze }

    var action: Action
    var force: Bool?
    /// Seconds that the first process gets to end by itself.
    var timeout: Int?
    /// Of a stop: whether the processes' state is saved. Of a start: whether it goes on from the
    /// saved one; left out: if it is sure to fit the instance's files.
    var stateful: Bool?

    var use: StateUse { stateful.map { $0 ? .always : .never } ?? .ifKept }
}

/// `POST /1.0/instances/NAME/exec`.
struct ExecPost: Codable, Sendable {
    var command: [String]
    var environment: [String: String]?
    var cwd: String?
    var user: UInt32?
    var group: UInt32?
}

/// `POST /1.0/instances/NAME/resolve`.
struct ResolvePost: Codable, Sendable {
    var resolution: Resolution
}

/// `PUT /1.0/migrations/ID/bandwidth`: bytes a second at most, null or nothing for no limit.
struct BandwidthPut: Codable, Sendable {
    var bandwidth: ByteCount?
}

/// `POST /1.0/remotes`.
struct RemotesPost: Codable, Sendable {
    var name: RemoteName
    var token: String
}

/// `POST /1.0/trust`, and its answer.
struct TrustPost: Codable, Sendable {
    var name: RemoteName
}

struct TrustToken: Codable, Sendable {
    var name: RemoteName
    var token: String
}

/// `GET /1.0/migrations/ID`: the report, and the live progress while it runs.
package struct MigrationView: Codable, Equatable, Sendable {
    package var report: MigrationReport
    package var progress: MigrationProgress?

    package init(report: MigrationReport, progress: MigrationProgress?) {
        self.report = report
        self.progress = progress
    }
}
