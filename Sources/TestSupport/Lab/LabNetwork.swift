import LinuxHost

extension Lab {
    /// Lays the switch and joins every node to it.
    func wire() async throws {
        let middle = switchNode.pid
        try await LabCommands.bridge(in: middle, "gwsw0", mac: "02:67:77:00:00:fe").check()
        try await LabCommands.set(in: middle, "gwsw0", up: true).check()
        for host in hosts { try await wire(host) }
        try await connect(client)
        try await LabCommands.set(in: client.pid, Self.uplink, up: true).check()
        try await giveAddresses(to: client, Self.uplink, number: Self.clientNumber)
    }

    /// Joins a host to the switch, and what its instances are joined to.
    func wire(_ host: LabNode) async throws {
        guard let index = hosts.firstIndex(of: host) else {
            preconditionFailure("the lab has no host \(host.name)")
        }
        try await connect(host)
        try await giveBridge(to: host, number: index + 1)
    }

    /// Takes the port of a host that is gone from the switch, if the kernel has not yet.
    func unwire(_ node: LabNode) async throws {
        _ = try await LabCommands.unlink(switch: switchNode.pid, port: Self.port(of: node.name))
            .run()
    }

    private func connect(_ node: LabNode) async throws {
        let port = Self.port(of: node.name)
        try await LabCommands.link(
            switch: switchNode.pid, port: port, node: node.pid, uplink: Self.uplink
        ).check()
        try await LabCommands.join(in: switchNode.pid, port, bridge: "gwsw0").check()
    }

    private func giveBridge(to host: LabNode, number: Int) async throws {
        let mac = "02:67:77:00:00:0\(number)"
        try await LabCommands.bridge(in: host.pid, Self.bridge, mac: mac).check()
        try await LabCommands.join(in: host.pid, Self.uplink, bridge: Self.bridge).check()
        try await LabCommands.set(in: host.pid, Self.bridge, up: true).check()
        try await giveAddresses(to: host, Self.bridge, number: number)
    }

    private func giveAddresses(
        to node: LabNode, _ interface: String, number: Int
    ) async throws {
        for address in ["\(Self.address(number))/24", "fd77::\(number)/64"] {
            try await LabCommands.address(in: node.pid, interface, address).check()
        }
    }

    private static func port(of name: String) -> String { "gwp-" + name.prefix(8) }

    /// Takes the cable of a host or of the client out, or puts it back.
    package func setLink(of node: LabNode, up: Bool) async throws {
        let port = Self.port(of: node.name)
        try await LabCommands.set(in: switchNode.pid, port, up: up).check()
    }

    /// Makes the client ask anew who has an address; needed when an address is used again by
    /// something that did not announce itself.
    package func forgetNeighbours() async throws {
        try await LabCommands.forgetNeighbours(in: client.pid).check()
    }
}
