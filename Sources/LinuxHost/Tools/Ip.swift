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

    /// Sets the loopback and the inner ends up, in the network namespace of `pid`.
    package static func configure(
        _ interfaces: [InterfaceDefinition], pid: Int32
    ) -> (command: Command, input: String) {
        let lines = ["link set dev lo up"] + interfaces.flatMap(configuration)
        let command = Command("nsenter", ["--net=/proc/\(pid)/ns/net", "ip", "-batch", "-"])
        return (command, text(lines))
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
        return [up] + addresses + routes
    }

    private static func text(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }
}
