/// A port of the host that leads to one of the instance.
package struct PortDefinition: Codable, Hashable, Sendable, CustomStringConvertible {
    package enum Transport: String, Codable, Sendable, CaseIterable { case tcp, udp }

    package var transport: Transport
    /// On which it is open: an address of the host, or one in a network of the host that follows
    /// the instance. Nil: every address that the host has.
    package var hostAddress: String?
    package var hostPort: UInt16
    package var port: UInt16

    package init(
        transport: Transport = .tcp, hostAddress: String? = nil, hostPort: UInt16, port: UInt16
    ) {
        self.transport = transport
        self.hostAddress = hostAddress
        self.hostPort = hostPort
        self.port = port
    }

    /// As `--publish` takes it.
    package var description: String {
        let address = hostAddress.map { $0.contains(":") ? "[\($0)]:" : "\($0):" } ?? ""
        return "\(address)\(hostPort):\(port)" + (transport == .udp ? "/udp" : "")
    }

    /// Whether a host cannot have both.
    package func collides(with other: PortDefinition) -> Bool {
        guard transport == other.transport, hostPort == other.hostPort else { return false }
        guard let mine = hostAddress, let others = other.hostAddress else { return true }
        return NetworkAddress(mine) == NetworkAddress(others)
    }
}

extension InstanceDefinition {
    /// The instance's first address of a family: the one that its published ports lead to. Not a
    /// macvlan's, which its own host does not reach.
    package func publishedAddress(isVersion6: Bool) -> NetworkAddress? {
        interfaces.filter { !$0.isMacvlan }.flatMap(\.addresses).lazy
            .compactMap { text in NetworkAddress(text.prefix { $0 != "/" }) }
            .first { ($0.bytes.count == 16) == isVersion6 }
    }

    /// What is wrong with its published ports, to be read by a person.
    package var portFaults: [String] {
        let ports = ports ?? []
        guard ports.count <= Limit.portsPerInstance else {
            return ["\(ports.count) published ports are more than \(Limit.portsPerInstance)"]
        }
        let own = ports.enumerated().compactMap { index, port in
            ports[..<index].contains { $0.collides(with: port) }
                ? "\(port) is published twice" : fault(of: port)
        }
        return own
    }

    private func fault(of port: PortDefinition) -> String? {
        guard port.hostPort > 0, port.port > 0 else { return "0 is no port" }
        guard let text = port.hostAddress else {
            let hasAny = [true, false].contains { publishedAddress(isVersion6: $0) != nil }
            return hasAny ? nil : "\(port) leads to an instance without an address on a bridge"
        }
        guard let address = NetworkAddress(text) else {
            return "\"\(text.prefix(60))\" is no address"
        }
        let isVersion6 = address.bytes.count == 16
        return publishedAddress(isVersion6: isVersion6) == nil
            ? "\(port) needs an IPv\(isVersion6 ? 6 : 4) address of the instance on a bridge" : nil
    }
}

/// What publishing ports needs of a host, and which are taken.
package struct PublishingFacts: Codable, Equatable, Sendable {
    /// The tools that are there, of `nft` and `conntrack`.
    package var tools: Set<String>
    /// Whether the host forwards packets, of IPv4 and of IPv6.
    package var forwardsVersion4: Bool
    package var forwardsVersion6: Bool
    /// The host's own addresses, with prefix length.
    package var addresses: Set<String>
    package var ports: [PortDefinition]

    package init(
        tools: Set<String>, forwardsVersion4: Bool, forwardsVersion6: Bool,
        addresses: Set<String> = [], ports: [PortDefinition] = []
    ) {
        self.addresses = addresses
        self.tools = tools
        self.forwardsVersion4 = forwardsVersion4
        self.forwardsVersion6 = forwardsVersion6
        self.ports = ports
    }
}
