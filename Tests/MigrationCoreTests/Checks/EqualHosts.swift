import MigrationCore

/// Two hosts that are alike and an instance that nothing hinders; each test spoils one thing.
func equalHosts() throws -> Comparison {
    let definition = InstanceDefinition(
        name: try InstanceName("web"),
        process: ProcessDefinition(command: ["/bin/server"]),
        limits: ResourceLimits(memory: .gibibytes(1), cpuMillis: 1_500, processes: 100),
        idMap: IDMap(hostStart: 100_000, count: 65_536),
        interfaces: [
            InterfaceDefinition(
                name: "eth0", bridge: "br0", hardwareAddress: "02:00:00:00:00:01",
                addresses: ["10.0.0.5/24", "fd00::5/64"])
        ],
        mounts: [MountDefinition(hostPath: "/srv/data", path: "/data", isReadOnly: true)],
        created: Timestamp(milliseconds: 0)
    )
    let instance = InstanceFacts(
        status: .running, memory: .mebibytes(256), processes: 3,
        volumes: [VolumeFacts(name: "web", used: .gibibytes(1), methods: [.rsync])], obstacles: []
    )
    var target = ableHost()
    target.hostname = "host-b"
    target.instanceNames = ["other"]
    return Comparison(
        source: ableHost(), target: target, definition: definition, instance: instance,
        options: MoveOptions()
    )
}

/// A host on which everything works, facts as of a real one.
func ableHost() -> HostFacts {
    HostFacts(
        hostname: "host-a", clock: Timestamp(milliseconds: 1_000_000), architecture: "x86_64",
        kernel: Version(6, 18, 44), kernelFeatures: Set(KernelFeature.allCases.map(\.rawValue)),
        processorFeatures: ["fpu", "sse2", "avx2", "constant_tsc"],
        criu: ToolFacts(
            name: "criu", version: Version(4, 2, 1),
            features: [ToolFacts.checkPassed, "timens", "userns", "ipv6_freebind"]),
        runtimes: [
            ToolFacts(name: "runc", version: Version(1, 1, 5), features: [ToolFacts.checkpoint])
        ],
        rsync: ToolFacts(name: "rsync", version: Version(3, 2, 7), features: ["ACLs", "xattrs"]),
        cgroup: CgroupFacts(
            version: 1,
            controllers: ["memory", "cpu", "cpuset", "blkio", "devices", "pids", "freezer"],
            abilities: Set(CgroupAbility.allCases.map(\.rawValue))),
        filesystems: ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "ext4"],
        pools: [
            PoolFacts(
                name: "default", driver: "directory", filesystem: "ext4", available: .gibibytes(9))
        ],
        memoryAvailable: .gibibytes(4), bridges: ["br0"],
        bridgeNetworks: ["br0": ["10.0.0.1/24"]], instanceNames: ["web"],
        addressesInUse: ["10.0.0.1"], idRange: IDMap(hostStart: 100_000, count: 1_000_000),
        mountablePaths: ["/srv/data"],
        devices: ["/dev/vda": DeviceNumber(isBlock: true, major: 254, minor: 0)],
        processors: try? ProcessorSet(parsing: "0-3"), pipeLimit: .mebibytes(1)
    )
}

/// What is found once `change` has spoilt the pair, cold or live.
func found(
    _ mode: MoveOptions.Mode = .live, _ change: (inout Comparison) -> Void
) throws -> [Finding] {
    var comparison = try equalHosts()
    comparison.options.mode = mode
    change(&comparison)
    return Checks.findings(in: comparison)
}

/// The one finding that `change` leads to, as `check weight`; nil unless there is exactly one.
func only(
    _ mode: MoveOptions.Mode = .live, _ change: (inout Comparison) -> Void
) throws -> Finding? {
    let findings = try found(mode, change)
    return findings.count == 1 ? findings.first : nil
}

extension Finding {
    /// `criu refusal`.
    var mark: String { "\(check) \(weight.rawValue)" }
}
