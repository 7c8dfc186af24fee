/// Kept TCP connections live on only if the instance's addresses lead to the target's bridge, or
/// a macvlan's parent, as they led to the source's.
struct NetworkCheck: Check {
    let name = "network"

    func findings(in comparison: Comparison) -> [Finding] {
        guard comparison.isLive, comparison.options.tcp == .keep,
            comparison.options.forward == nil
        else { return [] }
        return Set(comparison.definition.interfaces.map(\.bridge)).sorted().flatMap { bridge in
            let there = comparison.options.networks?[bridge] ?? bridge
            return changed(
                bridge, from: comparison.source.bridgeNetworks[bridge] ?? [],
                to: comparison.target.bridgeNetworks[there] ?? [])
        }
    }

    /// A bridge without an address says nothing about its network, and so is no reason to warn.
    private func changed(
        _ bridge: String, from old: Set<String>, to new: Set<String>
    ) -> [Finding] {
        let before = Set(old.compactMap { NetworkPrefix($0) })
        let after = Set(new.compactMap { NetworkPrefix($0) })
        guard !before.isEmpty, !after.isEmpty, before.isDisjoint(with: after) else { return [] }
        return [
            Finding(
                name,
                .warning,
                cause: "the interface \(bridge.prefix(40)) is in \(listed(old)) on the source "
                    + "and in \(listed(new)) on the target: open connections may not find the way",
                cure: "join both to one network, or close connections with --tcp=close"
            )
        ]
    }
}
