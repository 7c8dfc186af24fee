import CLinux
import Foundation
package import MigrationCore

/// Tells the neighbourhood where an address lives now, so that switches and neighbour tables follow
/// an instance that has moved: gratuitous ARP (RFC 5227) and unsolicited neighbour advertisements
/// (RFC 4861, section 7.2.6). An interface without addresses asks for its own (RFC 903), which
/// nobody answers but every switch learns from.
package struct Announcement: Equatable, Sendable {
    /// Whole Ethernet frames.
    package let frames: [[UInt8]]

    /// - Throws: `badRequest` for an address that is none.
    package init(interface: InterfaceDefinition) throws {
        self.init(
            of: try interface.addresses.map(LinkAddresses.network),
            at: try LinkAddresses.hardware(interface.hardwareAddress))
    }

    init(of addresses: [NetworkAddress], at hardware: [UInt8]) {
        precondition(hardware.count == 6)
        frames =
            addresses.isEmpty
            ? [Self.reverseARP(hardware: hardware)]
            : addresses.map { address in
                address.bytes.count == 4
                    ? Self.arp(hardware: hardware, address: address.bytes)
                    : Self.advertisement(hardware: hardware, address: address.bytes)
            }
    }

    /// Sends every frame out of the interface, in the network namespace of `pid` (0: this one's),
    /// as soon as that can transmit; waits 200 ms for it at most.
    package func send(from interface: String, of pid: Int32) async throws {
        let number = godwit_socket_of(pid, AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
        guard number >= 0 else {
            throw GodwitError.kernel("open a socket in the instance's network", code: -number)
        }
        let socket = Descriptor(taking: number)
        _ = await holds(within: .milliseconds(200)) {
            unsafe godwit_packet_ready(socket.number, interface) == 1
        }
        for frame in frames {
            let error = unsafe godwit_packet_send(socket.number, interface, frame, frame.count)
            guard error == 0 else { throw GodwitError.kernel("announce an address", code: error) }
        }
    }

    private static func arp(hardware: [UInt8], address: [UInt8]) -> [UInt8] {
        NeighbourFrames.arp(from: hardware, address, for: address)
    }

    private static func reverseARP(hardware: [UInt8]) -> [UInt8] {
        let broadcast = [UInt8](repeating: 0xff, count: 6)
        let head: [UInt8] = [0x80, 0x35, 0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x03]
        let none: [UInt8] = [0, 0, 0, 0]
        return broadcast + hardware + head + hardware + none + hardware + none
    }

    private static func advertisement(hardware: [UInt8], address: [UInt8]) -> [UInt8] {
        // Type 136, the override flag, the target, and its link-layer address as option 2.
        NeighbourFrames.toMany(
            from: hardware, address, to: NeighbourFrames.allNodes,
            [136, 0, 0, 0, 0x20, 0, 0, 0] + address + [2, 1] + hardware)
    }
}
