/// Published ports need a host that can translate addresses, and that nobody has them there.
package struct PortCheck: Check {
    package let name = "ports"

    package init() {}

    package func findings(in comparison: Comparison) -> [Finding] {
        findings(publishing: comparison.arriving, on: comparison.target, .target)
            + kept(comparison)
    }

    /// The same for an instance that is made on this host.
    package func findings(
        launching definition: InstanceDefinition, on host: HostFacts
    ) -> [Finding] {
        findings(publishing: definition, on: host, .here)
    }

    private func findings(
        publishing definition: InstanceDefinition, on host: HostFacts, _ place: Place
    ) -> [Finding] {
        guard let ports = definition.ports, !ports.isEmpty else { return [] }
        let faults = definition.portFaults.map {
            Finding(name, cause: $0, cure: "publish other ports when the instance is made")
        }
        guard faults.isEmpty, let facts = host.publishing else {
            return faults + (faults.isEmpty ? [outdated(place)] : [])
        }
        let taken = ports.filter { port in facts.ports.contains { $0.collides(with: port) } }
        return taken.map { port in
            Finding(
                name, cause: "an instance on \(place.text) has port \(port.hostPort) published",
                cure: "free the port there")
        } + shared(ports, facts, place) + tools(facts, place)
            + forwarding(definition, ports, facts, place)
            + strangers(ports, facts, place)
    }

    /// An address that follows one instance cannot follow another one.
    private func shared(
        _ ports: [PortDefinition], _ facts: PublishingFacts, _ place: Place
    ) -> [Finding] {
        let others = Set(facts.ports.compactMap(\.hostAddress).compactMap { NetworkAddress($0) })
        let own = Set(
            facts.addresses.filter { !$0.hasSuffix("/32") && !$0.hasSuffix("/128") }
                .compactMap { text in NetworkAddress(text.prefix { $0 != "/" }) })
        let wanted = Set(ports.compactMap(\.hostAddress).compactMap { NetworkAddress($0) })
        return wanted.intersection(others).subtracting(own).map(\.description).sorted().map {
            Finding(
                name, cause: "the address \($0) follows another instance on \(place.text)",
                cure: "publish on an address of the instance's own")
        }
    }

    /// Addresses of networks that the host is not in.
    private func strangers(
        _ ports: [PortDefinition], _ facts: PublishingFacts, _ place: Place
    ) -> [Finding] {
        Set(ports.compactMap(\.hostAddress)).sorted().filter { text in
            !facts.addresses.contains { own in
                guard let length = own.split(separator: "/").last,
                    let network = NetworkPrefix(own)
                else { return false }
                return network == NetworkPrefix("\(text)/\(length)")
            }
        }.map { address in
            Finding(
                name, cause: "\(place.text) is in no network of the address \(address)",
                cure: "give it an interface in that network, or publish on another address")
        }
    }

    private func tools(_ facts: PublishingFacts, _ place: Place) -> [Finding] {
        Set(["nft", "conntrack"]).subtracting(facts.tools).sorted().map { tool in
            Finding(
                name, cause: "\(place.text) has no \(tool), which published ports need",
                cure: "install it there: apt-get install \(tool == "nft" ? "nftables" : tool)")
        }
    }

    private func forwarding(
        _ definition: InstanceDefinition, _ ports: [PortDefinition], _ facts: PublishingFacts,
        _ place: Place
    ) -> [Finding] {
        let families = [
            (false, facts.forwardsVersion4, "net.ipv4.ip_forward"),
            (true, facts.forwardsVersion6, "net.ipv6.conf.all.forwarding"),
        ]
        return families.filter { isVersion6, forwards, _ in
            !forwards && definition.publishedAddress(isVersion6: isVersion6) != nil
                && ports.contains { isVersion6 == $0.isVersion6 ?? isVersion6 }
        }.map { _, _, setting in
            Finding(
                name, cause: "\(place.text) forwards no packets, as published ports need",
                cure: "let it: sysctl -w \(setting)=1")
        }
    }

    /// Connections through a port live on where the address that clients use leads to the target.
    private func kept(_ comparison: Comparison) -> [Finding] {
        guard comparison.isLive, comparison.options.tcp == .keep,
            comparison.definition.ports?.contains(where: { $0.hostAddress == nil }) == true
        else { return [] }
        return [
            Finding(
                name, .warning,
                cause: "a port is published on the source's own addresses, which stay there",
                cure: "publish it on an address that follows the instance (--publish "
                    + "ADDRESS:PORT:PORT), or let clients connect anew")
        ]
    }

    private func outdated(_ place: Place) -> Finding {
        Finding(
            name, cause: "the godwit on \(place.text) does not know published ports",
            cure: "bring it up to date")
    }
}

extension PortDefinition {
    /// Nil where it is open on addresses of both families.
    fileprivate var isVersion6: Bool? { hostAddress.map { $0.contains(":") } }
}
