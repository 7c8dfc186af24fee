import MigrationCore

/// Values of every kind, as plausible as a test needs them.
enum Sample {
    static let facts = HostFacts(
        hostname: "host-a", clock: Timestamp(milliseconds: 1_800_000_000_000),
        architecture: "x86_64", kernel: Version(6, 18, 1), kernelFeatures: ["userfaultfd-wp"],
        processorFeatures: ["avx2"], criu: ToolFacts(name: "criu", version: Version(4, 2, 1)),
        runtimes: [ToolFacts(name: "runc", version: Version(1, 1, 5), features: ["+CRIU"])],
        rsync: ToolFacts(name: "rsync", version: Version(3, 2, 7)),
        cgroup: CgroupFacts(version: 1, controllers: ["memory", "cpu"]), filesystems: ["tmpfs"],
        pools: [
            PoolFacts(
                name: "default", driver: "directory", filesystem: "ext4",
                available: .gibibytes(10))
        ],
        memoryAvailable: .gibibytes(4), bridges: ["br0"], instanceNames: [], addressesInUse: [],
        idRange: IDMap(hostStart: 1_000_000, count: 65_536), mountablePaths: [],
        pipeLimit: .mebibytes(1))

    static let information = HostInformation(
        name: "host-a", version: "0.1.0", fingerprint: "ab12", address: "10.0.0.1:7443",
        facts: facts)

    static let finding = Finding(
        "criu", .warning, cause: "criu is old", cure: "install 4.2 or newer")

    static func instance(_ name: String, _ status: InstanceStatus) throws -> InstanceView {
        let definition = InstanceDefinition(
            name: try InstanceName(name),
            process: ProcessDefinition(
                command: ["redis-server"], environment: ["A=b=c", "EMPTY="]),
            limits: ResourceLimits(memory: .mebibytes(64), cpuMillis: 1500, processes: 10),
            idMap: IDMap(hostStart: 1_000_000, count: 65_536),
            interfaces: [
                InterfaceDefinition(
                    name: "eth0", bridge: "br0", hardwareAddress: "10:66:6a:34:e7:f9",
                    addresses: ["10.0.0.5/24", "fd00::5/64"], gateways: ["10.0.0.1"])
            ],
            mounts: [MountDefinition(hostPath: "/srv", path: "/data", isReadOnly: true)],
            created: Timestamp(milliseconds: 1_795_253_654_334))
        let observation = InstanceObservation(
            status: status, pid: status == .running ? 3542 : nil,
            processes: status == .running ? 2 : 0, memory: .mebibytes(12), cpuNanoseconds: 99)
        return InstanceView(definition: definition, observation: observation, migration: nil)
    }

    static func image(alias: ImageName?) throws -> ImageView {
        let blobs = try ["1", "2", "3"].map {
            ImageBlob(
                digest: try BlobDigest("sha256:" + String(repeating: $0, count: 64)),
                size: .kibibytes(1))
        }
        let image = StoredImage(
            manifest: blobs[0], config: blobs[1],
            layers: [
                ImageLayer(blob: blobs[2], contentDigest: blobs[1].digest, compression: .gzip)
            ],
            architecture: "amd64", created: nil, origin: .layout,
            defaults: ImageDefaults(command: ["redis-server"], environment: ["A=1"]))
        return ImageView(
            image: image, aliases: alias.map { [$0] } ?? [],
            imported: Timestamp(milliseconds: 1_795_253_654_334))
    }

    static func id(_ number: Int) throws -> MigrationID {
        let digits = String(number, radix: 16)
        return try MigrationID(String(repeating: "0", count: 32 - digits.count) + digits)
    }

    static func report(_ id: MigrationID, _ request: MoveRequest) -> MigrationReport {
        MigrationReport(
            id: id, side: .source, instance: request.name,
            newName: request.newName ?? request.name, peer: request.remote.text,
            mode: request.mode ?? .live, started: Timestamp(milliseconds: 1_800_000_000_000))
    }

    static func progress(_ id: MigrationID) -> MigrationProgress {
        MigrationProgress(
            id: id, phase: .perform, step: "send volume root", volumeSent: .mebibytes(3),
            volumeTotal: .mebibytes(9), bytesPerSecond: .mebibytes(100), secondsLeft: 0.5)
    }

    static func preview(of request: MoveRequest) throws -> MovePreview {
        let plan = Plan(
            steps: [.sendVolume("root", .rsync), .freeze, .sendCheckpoint, .handOver],
            options: MoveOptions(mode: request.mode ?? .live, bandwidth: request.bandwidth),
            name: request.newName ?? request.name, startsOnTarget: true, warnings: [finding])
        return MovePreview(plan: plan, findings: [finding])
    }
}
