/// A macvlan hangs on an interface of its host, which must be there, free and large enough.
package struct ParentCheck: Check {
    package let name = "parents"

    package init() {}

    package func findings(in comparison: Comparison) -> [Finding] {
        let macvlans = comparison.arriving.interfaces.filter(\.isMacvlan)
        return findings(about: macvlans, on: comparison.target, .target)
            + (macvlans.isEmpty ? [] : tunnels(comparison.options))
    }

    /// The same for an instance that is made on this host.
    package func findings(
        launching definition: InstanceDefinition, on host: HostFacts
    ) -> [Finding] {
        findings(about: definition.interfaces.filter(\.isMacvlan), on: host, .here)
    }

    private func findings(
        about macvlans: [InterfaceDefinition], on host: HostFacts, _ place: Place
    ) -> [Finding] {
        guard !macvlans.isEmpty else { return [] }
        guard let parents = host.parents else {
            return [
                Finding(
                    name, cause: "the godwit on \(place.text) does not know macvlans",
                    cure: "bring it up to date")
            ]
        }
        return macvlans.prefix(Limit.interfacesPerInstance).flatMap { interface in
            let parent = interface.bridge.prefix(40)
            guard let facts = parents[interface.bridge] else {
                return [
                    Finding(
                        name, cause: "\(place.text) has no interface \(parent)",
                        cure: place == .here
                            ? "name one that it has: ip link"
                            : "name another one with --network \(parent)=OTHER")
                ]
            }
            return faults(of: parent, facts, for: interface, place)
        }
    }

    private func faults(
        of parent: Substring, _ facts: ParentFacts, for interface: InterfaceDefinition,
        _ place: Place
    ) -> [Finding] {
        var faults: [(cause: String, cure: String)] = []
        if !facts.isEthernet {
            faults.append(("is no Ethernet", "name another one"))
        }
        if !facts.isUp {
            faults.append(("is down", "set it up there: ip link set \(parent) up"))
        }
        if let master = facts.master?.prefix(40) {
            let cure = "name \(master) in its place, or take it out: ip link set \(parent) nomaster"
            faults.append(("belongs to \(master), which has its frames", cure))
        }
        if interface.mtu > facts.mtu {
            let cure = "raise it there: ip link set \(parent) mtu \(interface.mtu)"
            faults.append(("has an MTU of \(facts.mtu), a macvlan's \(interface.mtu)", cure))
        }
        return faults.map { fault in
            Finding(
                name, cause: "the interface \(parent) of \(place.text) \(fault.cause)",
                cure: fault.cure)
        }
    }

    /// The tunnel joins bridges.
    private func tunnels(_ options: MoveOptions) -> [Finding] {
        guard options.forward != nil else { return [] }
        return [
            Finding(
                name, cause: "traffic for a macvlan cannot be forwarded",
                cure: "leave --forward out, or make the instance anew with a bridge")
        ]
    }
}
