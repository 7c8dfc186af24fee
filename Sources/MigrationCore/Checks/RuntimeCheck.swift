/// The runtime that started an instance checkpoints it; the target needs the same one to restore
/// it.
struct RuntimeCheck: HostCheckable {
    let name = "runtime"

    func findings(in comparison: Comparison) -> [Finding] {
        guard comparison.isLive else { return absent(in: comparison.target, .target) }
        let alone = findings(aboutBoth: comparison)
        guard alone.isEmpty, let source = Self.usable(comparison.source) else { return alone }
        guard
            let target = comparison.target.runtimes.first(where: {
                $0.name == source.name && $0.features.contains(ToolFacts.checkpoint)
            })
        else { return [differs(source.name)] }
        return target.version.release < source.version.release ? [older(source, target)] : []
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        let none = absent(in: host, place)
        guard none.isEmpty, Self.usable(host) == nil else { return none }
        return [
            Finding(
                name,
                cause: "no runtime of \(place.text) can checkpoint "
                    + "(it has \(listed(host.runtimes.map(\.name))))",
                cure: "install runc there"
            )
        ]
    }

    private static func usable(_ host: HostFacts) -> ToolFacts? {
        host.runtimes.first { $0.features.contains(ToolFacts.checkpoint) }
    }

    private func absent(in host: HostFacts, _ place: Place) -> [Finding] {
        guard host.runtimes.isEmpty else { return [] }
        return [
            Finding(
                name,
                cause: "no container runtime is installed on \(place.text)",
                cure: "run `make deps` there, or install runc"
            )
        ]
    }

    private func differs(_ runtime: String) -> Finding {
        Finding(
            name,
            cause: "the target has no \(runtime.prefix(40)), the runtime that the source uses",
            cure: "install it on the target; another runtime cannot restore its checkpoint"
        )
    }

    private func older(_ source: ToolFacts, _ target: ToolFacts) -> Finding {
        Finding(
            name,
            .warning,
            cause: "\(target.name) \(target.version) of the target is older than the source's "
                + "\(source.version)",
            cure: "bring the target's runtime to the same release"
        )
    }
}
