/// Every interface of an instance is a port of a bridge, which the host must have.
struct BridgeCheck: HostCheckable {
    let name = "bridges"

    func findings(in comparison: Comparison) -> [Finding] {
        let needed = Set(comparison.definition.interfaces.map(\.bridge))
        return needed.subtracting(comparison.target.bridges).sorted().map { bridge in
            Finding(
                name,
                cause: "the target has no bridge \(bridge.prefix(40))",
                cure: "make it there: ip link add \(bridge.prefix(40)) type bridge"
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
