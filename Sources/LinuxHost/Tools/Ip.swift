package import MigrationCore

/// All that instances ask of iproute2.
package enum Ip {
    /// Makes the veth with its inner end already in the network namespace of `pid`, and makes the
    /// host end a port of the bridge. The host end stays down.
    package static func addVeth(
        _ interface: InterfaceDefinition, hostEnd: String, pid: Int32
    ) -> (command: Command, input: String) {
        let lines = [
            "link add name \(hostEnd) mtu \(interface.mtu) type veth peer name \(interface.name)"
                + " address \(interface.hardwareAddress) mtu \(interface.mtu) netns \(pid)",
            "link set dev \(hostEnd) master \(interface.bridge)",
        ]
        return (Command("ip", ["-batch", "-"]), text(lines))
    }

    /// Makes the macvlan in the network namespace of `pid`; it stays down.
    ///
    /// - Parameter isOpen: whether frames will come in once it is up.
    package static func addMacvlan(
        _ interface: InterfaceDefinition, pid: Int32, isOpen: Bool
    ) -> (command: Command, input: String) {
        let line =
            "link add link \(interface.bridge) name \(interface.name)"
            + " address \(interface.hardwareAddress) mtu \(interface.mtu) netns \(pid)"
            + " type macvlan mode \(isOpen ? "bridge" : "source")"
        return (Command("ip", ["-batch", "-"]), text([line]))
    }

    /// Sets the loopback and the inner ends up, in the network namespace of `pid`.
    package static func configure(
        _ interfaces: [InterfaceDefinition], pid: Int32
    ) -> (command: Command, input: String) {
        let lines = ["link set dev lo up"] + interfaces.flatMap(configuration)
        let command = Command("nsenter", ["--net=/proc/\(pid)/ns/net", "ip", "-batch", "-"])
        return (command, text(lines))
    }

    /// Joins a bridge to a bridge of another host through a tunnel (VXLAN, RFC 7348).
    ///
    /// - Parameter network: the tunnel's number, the same on both hosts.
    package static func layCable(
        _ name: String, network: UInt32, _ ends: CableEnds, mtu: UInt32, bridge: String
    ) -> (command: Command, input: String) {
        let lines = [
            "link add name \(name) mtu \(mtu) type vxlan id \(network) local \(ends.own)"
                + " remote \(ends.other) dstport 4789",
            "link set dev \(name) addrgenmode none master \(bridge)",
            "link set dev \(name) up",
        ]
        return (Command("ip", ["-batch", "-"]), text(lines))
    }

    /// A bridge without an address that passes on all groups.
    package static func addBridge(_ name: String) -> (command: Command, input: String) {
        let lines = [
            "link add name \(name) type bridge mcast_snooping 0 forward_delay 0",
            "link set dev \(name) addrgenmode none",
            "link set dev \(name) up",
        ]
        return (Command("ip", ["-batch", "-"]), text(lines))
    }

    package static func join(_ name: String, to bridge: String) -> Command {
        Command("ip", ["link", "set", "dev", name, "master", bridge])
    }

    /// An address of the host, by itself, that is usable at once.
    package static func addAddress(_ address: NetworkAddress, to interface: String) -> Command {
        let once = address.bytes.count == 16 ? ["nodad"] : []
        return Command("ip", ["address", "add", whole(address), "dev", interface] + once)
    }

    package static func deleteAddress(
        _ address: NetworkAddress, from interface: String
    ) -> Command {
        Command("ip", ["address", "delete", whole(address), "dev", interface])
    }

    private static func whole(_ address: NetworkAddress) -> String {
        "\(address)/\(address.bytes.count * 8)"
    }

    package static func deleteLink(_ name: String) -> Command {
        Command("ip", ["link", "delete", "dev", name])
    }

    private static func configuration(of interface: InterfaceDefinition) -> [String] {
        let up = "link set dev \(interface.name) up"
        let addresses = interface.addresses.map { address in
            // Duplicate address detection would keep the address from being used for a second.
            let isVersion6 = address.contains(":")
            return "address add \(address) dev \(interface.name)" + (isVersion6 ? " nodad" : "")
        }
        let routes = interface.gateways.map { gateway in
            "route add default via \(gateway) dev \(interface.name)"
        }
        let others = (interface.routes ?? []).map { route in
            "route add \(route.network) via \(route.gateway) dev \(interface.name)"
        }
        return [up] + addresses + routes + others
    }

    private static func text(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }
}
