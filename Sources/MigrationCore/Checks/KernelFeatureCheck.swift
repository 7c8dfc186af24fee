/// An instance stands on kernel features that can be built in or left out.
struct KernelFeatureCheck: HostCheckable {
    let name = "kernel-features"

    func findings(in comparison: Comparison) -> [Finding] {
        let needed = KernelFeature.always.union(needs(of: comparison))
        return missing(needed, in: comparison.target, .target)
            + (comparison.isLive
                ? missing([.checkpointRestore], in: comparison.source, .source) : [])
            + unfiltered(comparison)
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        missing(KernelFeature.always.union([.checkpointRestore]), in: host, place)
            + missing([.userNamespace, .timeNamespace, .ipv6], in: host, place, .warning)
    }

    private func needs(of comparison: Comparison) -> Set<KernelFeature> {
        let definition = comparison.definition
        var needed: Set<KernelFeature> = definition.idMap == nil ? [] : [.userNamespace]
        if definition.interfaces.contains(where: { $0.addresses.contains { $0.contains(":") } }) {
            needed.insert(.ipv6)
        }
        guard comparison.isLive else { return needed }
        needed.insert(.checkpointRestore)
        // CRIU writes the clocks of a kernel with time namespaces so that only such a one can read
        // them.
        if comparison.source.has(.timeNamespace) { needed.insert(.timeNamespace) }
        return needed
    }

    private func missing(
        _ features: Set<KernelFeature>, in host: HostFacts, _ place: Place,
        _ weight: Finding.Weight = .refusal
    ) -> [Finding] {
        let names = features.filter { !host.has($0) }.map(\.rawValue)
        guard !names.isEmpty else { return [] }
        return [
            Finding(
                name,
                weight,
                cause: "the kernel of \(place.text) lacks \(listed(names))",
                cure: "boot a kernel that is built with it"
            )
        ]
    }

    private func unfiltered(_ comparison: Comparison) -> [Finding] {
        guard comparison.isLive, comparison.source.has(.seccomp), !comparison.target.has(.seccomp)
        else { return [] }
        return [
            Finding(
                name,
                .warning,
                cause:
                    "the kernel of the target lacks seccomp; a process with a filter cannot return",
                cure: "boot a kernel that is built with seccomp on the target"
            )
        ]
    }
}

/// The kernel features that the checks know; hosts report these words in `kernelFeatures`.
package enum KernelFeature: String, CaseIterable, Sendable {
    case checkpointRestore = "checkpoint-restore"
    case pidNamespace = "pid-namespace"
    case mountNamespace = "mount-namespace"
    case networkNamespace = "network-namespace"
    case ipcNamespace = "ipc-namespace"
    case hostnameNamespace = "hostname-namespace"
    case userNamespace = "user-namespace"
    case cgroupNamespace = "cgroup-namespace"
    case timeNamespace = "time-namespace"
    case seccomp
    case userfaultfd
    case ipv6

    /// What every instance stands on.
    static let always: Set<KernelFeature> = [
        .pidNamespace, .mountNamespace, .networkNamespace, .ipcNamespace, .hostnameNamespace,
    ]
}

extension HostFacts {
    func has(_ feature: KernelFeature) -> Bool { kernelFeatures.contains(feature.rawValue) }
}
