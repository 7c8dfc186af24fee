/// Limits are kept by cgroup controllers, those of the target in its own version.
struct CgroupCheck: HostCheckable {
    let name = "cgroup"

    func findings(in comparison: Comparison) -> [Finding] {
        let (source, target) = (comparison.source.cgroup, comparison.target.cgroup)
        guard target.version != 0 else { return [unmounted(.target)] }
        let limits = comparison.definition.limits
        let needed = limits.controllers(in: target.version)
            .union(target.required(isFreezing: comparison.isLive))
        let wished = limits.wishedControllers(in: target.version).subtracting(needed)
        let slowing: Set<String> =
            comparison.isLive && comparison.options.memory.throttle ? ["cpu"] : []
        return missing(needed, in: target, .target) + missing(slowing, in: source, .source)
            + missing(wished, in: target, .target, .warning)
            + unable(limits, target)
            + (comparison.isLive && limits.delegatesCgroups ? lacking(source, target) : [])
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard host.cgroup.version != 0 else { return [unmounted(place)] }
        let io = ResourceLimits.ioController(in: host.cgroup.version)
        return missing(["memory", "cpu", "cpuset", io, "pids"], in: host.cgroup, place, .warning)
            + missing(host.cgroup.required(isFreezing: true), in: host.cgroup, place)
    }

    /// What the controllers are there for and cannot do on this kernel: the instance does without.
    private func unable(_ limits: ResourceLimits, _ target: CgroupFacts) -> [Finding] {
        var findings: [Finding] = []
        if limits.ioWeight != nil, !target.hasAny([.bfqWeight, .costWeight]) {
            findings.append(
                Finding(
                    name, .warning,
                    cause: "the target's kernel keeps no io weights, the instance's has no effect",
                    cure: "load the scheduler there: modprobe bfq, and choose it for the disk"))
        }
        if limits.memorySwap != nil, !target.hasAny([.swap]) {
            findings.append(
                Finding(
                    name, .warning,
                    cause: "the target's kernel does not account swap, the limit of it is dropped",
                    cure: "boot it with swapaccount=1, or turn swap off there"))
        }
        return findings
    }

    /// The hierarchies are mounts in the instance, which must be there again.
    private func lacking(_ source: CgroupFacts, _ target: CgroupFacts) -> [Finding] {
        guard source.version == target.version else {
            return [differs(source.version, target.version)]
        }
        guard source.version == 1 else { return [] }
        let kept: Set = ["devices", "freezer"]
        var here = source.controllers.subtracting(kept)
        var there = target.controllers
        if source.abilities?.contains(CgroupAbility.systemd.rawValue) == true {
            here.insert("systemd")
        }
        if target.hasAny([.systemd]) { there.insert("systemd") }
        let lacking = here.subtracting(there)
        guard !lacking.isEmpty else { return [] }
        return [
            Finding(
                name,
                cause: "the instance may divide its control groups, and the target has no "
                    + "hierarchy for \(listed(lacking))",
                cure: "mount it there, or start the instance without --delegate-cgroups")
        ]
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
            cause: "the instance may divide its control groups, which are of version \(source) "
                + "here and of version \(target) on the target",
            cure: "boot both hosts with the same version, move it with --cold, or start it without "
                + "--delegate-cgroups"
        )
    }
}

extension CgroupFacts {
    /// In version 2 neither freezing nor device rules need a controller; runc starts nothing
    /// without one for devices in version 1.
    fileprivate func required(isFreezing: Bool) -> Set<String> {
        guard version == 1 else { return [] }
        return isFreezing ? ["freezer", "devices"] : ["devices"]
    }

    /// A host that does not tell gets the benefit of the doubt.
    package func hasAny(_ wanted: Set<CgroupAbility>) -> Bool {
        abilities.map { !$0.isDisjoint(with: wanted.map(\.rawValue)) } ?? true
    }
}

extension ResourceLimits {
    package static func ioController(in version: Int) -> String { version == 1 ? "blkio" : "io" }

    /// The controllers without which the instance could take more than it may.
    package func controllers(in version: Int) -> Set<String> {
        var needed: Set<String> = []
        if memory != nil || memorySwap != nil { needed.insert("memory") }
        if cpuMillis != nil { needed.insert("cpu") }
        if cpuset != nil { needed.insert("cpuset") }
        if processes != nil { needed.insert("pids") }
        if !ioLimits.isEmpty { needed.insert(Self.ioController(in: version)) }
        return needed
    }

    /// Those without which it could get less than it should.
    package func wishedControllers(in version: Int) -> Set<String> {
        var wished: Set<String> = []
        if memoryReservation != nil { wished.insert("memory") }
        if cpuWeight != nil { wished.insert("cpu") }
        if ioWeight != nil { wished.insert(Self.ioController(in: version)) }
        return wished
    }
}
