import MigrationCore

/// Values that are valid and small, for tests that are about something else.
enum Sample {
    static func name(_ text: String) -> InstanceName {
        guard let name = try? InstanceName(text) else { preconditionFailure("\(text) is no name") }
        return name
    }

    static let web = name("web")

    static let migration: MigrationID = {
        let text = String(repeating: "0123456789abcdef", count: 2)
        guard let id = try? MigrationID(text) else { preconditionFailure("\(text) is no id") }
        return id
    }()

    static let definition = InstanceDefinition(
        name: web,
        process: ProcessDefinition(command: ["/bin/server", "--port", "80"]),
        idMap: IDMap(hostStart: 100_000, count: 65_536),
        interfaces: [
            InterfaceDefinition(
                name: "eth0",
                bridge: "godwit0",
                hardwareAddress: "02:00:00:00:00:05",
                addresses: ["10.0.0.5/24"]
            )
        ],
        mounts: [MountDefinition(hostPath: "/srv/data", path: "/data", isReadOnly: true)],
        created: Timestamp(milliseconds: 1_000)
    )

    static let instance = InstanceFacts(
        status: .running,
        memory: .mebibytes(64),
        processes: 3,
        volumes: [VolumeFacts(name: "root", used: .mebibytes(200), methods: [.rsync])],
        obstacles: []
    )

    static let host = HostFacts(
        hostname: "host-a",
        clock: Timestamp(milliseconds: 2_000),
        architecture: "x86_64",
        kernel: Version(6, 18),
        kernelFeatures: ["userfaultfd"],
        processorFeatures: ["sse2"],
        criu: ToolFacts(name: "criu", version: Version(4, 2, 1)),
        runtimes: [ToolFacts(name: "runc", version: Version(1, 1, 5))],
        rsync: ToolFacts(name: "rsync", version: Version(3, 2, 7)),
        cgroup: CgroupFacts(version: 2, controllers: ["memory", "pids"]),
        filesystems: ["ext4", "overlay"],
        pools: [
            PoolFacts(
                name: "default",
                driver: "directory",
                filesystem: "ext4",
                available: .gibibytes(10)
            )
        ],
        memoryAvailable: .gibibytes(4),
        bridges: ["godwit0"],
        instanceNames: ["web"],
        addressesInUse: [],
        idRange: IDMap(hostStart: 100_000, count: 1_000_000),
        mountablePaths: ["/srv/data"],
        pipeLimit: .mebibytes(1)
    )

    static func offer(
        options: MoveOptions = MoveOptions(),
        capabilities: Capabilities = .own,
        isDryRun: Bool = false
    ) -> Offer {
        Offer(
            capabilities: capabilities,
            definition: definition,
            instance: instance,
            host: host,
            options: options,
            isDryRun: isDryRun
        )
    }

    static func plan(for offer: Offer, startsOnTarget: Bool = true) -> Plan {
        var steps: [Plan.Step] = [
            .sendVolume("root", .rsync), .freeze, .sendDelta("root", .rsync),
        ]
        if offer.options.mode == .live { steps.append(.sendCheckpoint) }
        let memory: [Plan.Step] = offer.options.wantsPostcopy ? [.fetchMemory] : []
        return Plan(
            steps: steps + [.handOver] + memory + [.restore, .endOriginal],
            options: offer.options,
            name: offer.options.newName ?? offer.definition.name,
            startsOnTarget: startsOnTarget,
            warnings: []
        )
    }

    static func acceptance(for offer: Offer) -> Acceptance {
        Acceptance(
            version: offer.capabilities.newestVersion,
            features: offer.capabilities.features.map(\.name),
            plan: plan(for: offer)
        )
    }

    /// What lets memory follow the instance.
    static let postcopy: MemoryOptions = {
        guard let options = try? MemoryOptions(atDeadline: .postcopy) else {
            preconditionFailure("post-copy is an option")
        }
        return options
    }()

    static let fetch = MemoryReport.Fetch(
        owedPages: 3, pagesByFault: 1, pagesInBackground: 2, stalls: 1, milliseconds: 40)

    static let digests = Digests(volumes: ["root": "xxh3:1"], checkpoint: "xxh3:2")
    static let otherDigests = Digests(volumes: ["root": "xxh3:9"], checkpoint: "xxh3:2")
    static let receipt = Receipt(name: web, isRunning: true, milliseconds: ["restore": 210])
    static let finding = Finding("name", cause: "web exists on the target", cure: "use --rename")

    static func error(_ code: GodwitError.Code = .cancelled) -> GodwitError {
        GodwitError(code, "the \(code.rawValue) of a test")
    }

    /// One of each kind of message, in the order in which the protocol lists them.
    static var messages: [Message] {
        [
            .offer(offer()), .accepted(acceptance(for: offer())), .refused([finding]),
            .arrived(digests), .custody, .finished(receipt), .declined(error()), .acknowledged,
            .closed, .abort(error()), .inquire, .restoring, .running(receipt), .lost(error()),
        ]
    }
}
