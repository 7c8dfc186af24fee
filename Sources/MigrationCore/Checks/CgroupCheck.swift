/// Limits are kept by cgroup controllers, and a checkpoint remembers the version of the hierarchy.
struct CgroupCheck: HostCheckable {
    let name = "cgroup"

    func findings(in comparison: Comparison) -> [Finding] {
        let (source, target) = (comparison.source.cgroup, comparison.target.cgroup)
        guard target.version != 0 else { return [unmounted(.target)] }
        let needed = controllers(for: comparison)
        let slowing: Set<String> =
            comparison.isLive && comparison.options.memory.throttle ? ["cpu"] : []
        return missing(needed, in: target, .target) + missing(slowing, in: source, .source)
            + (comparison.isLive && source.version != target.version
                ? [differs(source.version, target.version)] : [])
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard host.cgroup.version != 0 else { return [unmounted(place)] }
        return missing(["memory", "cpu", "pids"], in: host.cgroup, place, .warning)
            + missing(freezer(host.cgroup), in: host.cgroup, place)
    }

    private func controllers(for comparison: Comparison) -> Set<String> {
        let limits = comparison.definition.limits
        var needed = comparison.isLive ? freezer(comparison.target.cgroup) : []
        if limits.memory != nil { needed.insert("memory") }
        if limits.cpuMillis != nil { needed.insert("cpu") }
        if limits.processes != nil { needed.insert("pids") }
        return needed
    }

    /// In version 2 freezing needs no controller.
    private func freezer(_ cgroup: CgroupFacts) -> Set<String> {
        cgroup.version == 1 ? ["freezer"] : []
    }

    private func missing(
        _ controllers: Set<String>, in cgroup: CgroupFacts, _ place: Place,
        _ weight: Finding.Weight = .refusal
    ) -> [Finding] {
        let missing = controllers.subtracting(cgroup.controllers)
        guard !missing.isEmpty else { return [] }
        return [
            Finding(
                name,
                weight,
                cause: "\(place.text) has no cgroup controller for \(listed(missing))",
                cure: "mount or enable the controller there, or drop the limit that needs it"
            )
        ]
    }

    private func unmounted(_ place: Place) -> Finding {
        Finding(
            name,
            cause: "no cgroup hierarchy is mounted on \(place.text)",
            cure: "mount one at /sys/fs/cgroup, as systemd does"
        )
    }

    private func differs(_ source: Int, _ target: Int) -> Finding {
        Finding(
            name,
            cause: "the source has cgroup version \(source), the target version \(target)",
            cure: "boot both hosts with the same version, or move with --cold"
        )
    }
}
