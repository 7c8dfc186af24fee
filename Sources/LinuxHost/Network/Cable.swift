package import MigrationCore

/// One host's end of a tunnel for one interface of an instance.
package struct Cable: Equatable, Sendable {
    /// The tunnel's end, a port of a bridge.
    package let name: String
    /// The bridge that it and the instance are the only ports of, where the instance is.
    package let detour: String
    private let network: UInt32
    private let mtu: UInt32

    package init(of interface: InterfaceDefinition, beside end: HostEnd) {
        precondition(end.name.utf8.count <= 14, "a name of an interface has 15 bytes at most")
        name = end.name + "v"
        detour = end.name + "b"
        mtu = interface.mtu
        let digest = StreamDigest()
        digest.update(interface.hardwareAddress)
        network = UInt32(digest.text.prefix(6), radix: 16) ?? 1
    }

    /// From the network that the instance leaves. Idempotent.
    package func lay(_ ends: CableEnds, into bridge: String) async throws {
        try await removeEnd()
        let cable = Ip.layCable(name, network: network, ends, mtu: mtu, bridge: bridge)
        try await cable.command.check(input: Array(cable.input.utf8))
    }

    /// To a bridge of its own, which the instance joins. Idempotent.
    package func layDetour(_ ends: CableEnds) async throws {
        if !HostEnd(name: detour).exists {
            let bridge = Ip.addBridge(detour)
            try await bridge.command.check(input: Array(bridge.input.utf8))
        }
        try await lay(ends, into: detour)
    }

    /// Nothing is left of it on this host. Idempotent.
    package func remove() async throws {
        try await removeEnd()
        try await delete(detour)
    }

    private func removeEnd() async throws { try await delete(name) }

    private func delete(_ name: String) async throws {
        guard HostEnd(name: name).exists else { return }
        try await Ip.deleteLink(name).check()
    }
}
