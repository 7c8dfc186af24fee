/// Every interface of an instance is a port of a bridge, which the host must have.
struct BridgeCheck: HostCheckable {
    let name = "bridges"

    func findings(in comparison: Comparison) -> [Finding] {
        // Behind a cable it needs the bridge only later.
        let needed = Set(
            comparison.arriving.interfaces.filter { $0.cable == nil && !$0.isMacvlan }
                .map(\.bridge))
        return unknown(comparison)
            + needed.subtracting(comparison.target.bridges).sorted().map { bridge in
                Finding(
                    name,
                    cause: "the target has no bridge \(bridge.prefix(40))",
                    cure: "make it there: ip link add \(bridge.prefix(40)) type bridge, or name "
                        + "another with --network \(bridge.prefix(40))=OTHER"
                )
            }
    }

    /// What is to have another name, though no interface hangs on it.
    private func unknown(_ comparison: Comparison) -> [Finding] {
        let own = Set(comparison.definition.interfaces.map(\.bridge))
        let named = Set((comparison.options.networks ?? [:]).keys)
        return named.subtracting(own).sorted().prefix(Limit.interfacesPerInstance).map { bridge in
            Finding(
                name,
                cause: "the instance has no interface on \(bridge.prefix(40))",
                cure: own.isEmpty ? "leave --network out" : "it has some on \(listed(own))"
            )
        }
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard host.bridges.isEmpty else { return [] }
        return [
            Finding(
                name,
                .warning,
                cause: "\(place.text) has no bridge, so its instances have no network",
                cure: "make one (ip link add br0 type bridge) and put the uplink into it"
            )
        ]
    }
}
