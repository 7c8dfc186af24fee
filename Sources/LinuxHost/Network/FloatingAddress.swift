import Foundation
package import MigrationCore

/// An address that one host of a network has for an instance, and another one after a move.
package struct FloatingAddress: Codable, Equatable, Sendable {
    package let address: String
    /// The host's interface that has it.
    package let interface: String

    /// Where the address would be on this host.
    ///
    /// - Returns: nil if the host has it anyway.
    /// - Throws: `refused` if no interface of this host is in the address's network.
    package static func place(of address: NetworkAddress) throws -> FloatingAddress? {
        let own = hostAddresses()
        guard !own.contains(where: { NetworkAddress($0.text) == address }) else { return nil }
        let home = own.first { host in
            guard let network = NetworkPrefix("\(host.text)/\(host.prefixLength)") else {
                return false
            }
            return network == NetworkPrefix("\(address)/\(host.prefixLength)")
        }
        guard let home else {
            throw GodwitError(
                .refused, "this host is in no network of the address \(address)",
                remedy: "publish the ports on an address of a network that the host is in")
        }
        return FloatingAddress(address: "\(address)", interface: home.interface)
    }

    /// The host has it from now on, and its neighbours hear of it. Idempotent.
    package func take() async throws {
        guard let address = NetworkAddress(address) else { return }
        if !isHere { try await Ip.addAddress(address, to: interface).check() }
        guard let link = try RouteSocket(of: 0).link(interface), link.hardware.count == 6 else {
            return
        }
        let announcement = Announcement(of: [address], at: link.hardware)
        try await announcement.send(from: interface, of: 0)
    }

    /// The host has it no more. Idempotent.
    package func drop() async throws {
        guard let address = NetworkAddress(address), isHere else { return }
        try await Ip.deleteAddress(address, from: interface).check()
    }

    private var isHere: Bool {
        hostAddresses().contains {
            $0.interface == interface && NetworkAddress($0.text) == NetworkAddress(address)
        }
    }
}
