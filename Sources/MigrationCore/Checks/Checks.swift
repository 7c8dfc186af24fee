/// The rules that are tried before an instance moves and, where they concern one host alone, when a
/// host is asked what it can do.
package enum Checks {
    /// Every rule, in the order in which `docs/checks.md` lists them.
    package static let all: [any Check] = [
        ArchitectureCheck(), ProcessorCheck(), KernelVersionCheck(), KernelFeatureCheck(),
        CRIUCheck(), CRIUFeatureCheck(), RuntimeCheck(), CgroupCheck(), FilesystemCheck(),
        MountCheck(), NamedVolumeCheck(), DeviceCheck(), ProcessorSetCheck(), NameCheck(),
        PoolCheck(),
        SnapshotCheck(), DiskSpaceCheck(), MemoryCheck(), InterfaceCheck(),
        BridgeCheck(), ParentCheck(), NetworkCheck(), AddressCheck(), PortCheck(), IDMapCheck(),
        ClockCheck(), RsyncCheck(), BtrfsCheck(), ZfsCheck(), LVMCheck(), SharedCheck(),
        PipeCheck(), ObstacleCheck(),
    ]

    /// What every rule finds, refusals first, at most `Limit.findings`.
    package static func findings(in comparison: Comparison) -> [Finding] {
        ordered(all.flatMap { $0.findings(in: comparison) })
    }

    /// What this host can and cannot do, without any instance or peer in mind. A refusal says that
    /// something does not work here at all, a warning that some instances cannot live here.
    package static func hostFindings(of host: HostFacts) -> [Finding] {
        ordered(
            all.compactMap { $0 as? any HostCheckable }.flatMap { $0.findings(about: host, .here) })
    }

    /// Whether a move with these findings may start.
    package static func allow(_ findings: [Finding]) -> Bool {
        !findings.contains { $0.weight == .refusal }
    }

    private static func ordered(_ findings: [Finding]) -> [Finding] {
        let refusals = findings.filter { $0.weight == .refusal }
        let warnings = findings.filter { $0.weight == .warning }
        return Array((refusals + warnings).prefix(Limit.findings))
    }
}

/// A rule that says something about one host alone.
protocol HostCheckable: Check {
    func findings(about host: HostFacts, _ place: Place) -> [Finding]
}

/// Which host a finding speaks of.
enum Place: CaseIterable {
    case source, target, here

    var text: String {
        switch self {
        case .source: "the source"
        case .target: "the target"
        case .here: "this host"
        }
    }
}

extension Comparison {
    var isLive: Bool { options.mode == .live }

    /// The name under which the instance would be known on the target.
    var newName: InstanceName { options.newName ?? definition.name }

    /// The instance as it would be on the target.
    var arriving: InstanceDefinition { options.arriving(definition) }
}

extension HostCheckable {
    /// The rule tried on both hosts.
    func findings(aboutBoth comparison: Comparison) -> [Finding] {
        findings(about: comparison.source, .source) + findings(about: comparison.target, .target)
    }
}
