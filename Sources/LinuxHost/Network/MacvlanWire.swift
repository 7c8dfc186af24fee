import CLinux
import Foundation
import MigrationCore

/// How a hold hears what is sent to a macvlan, and lets it have that.
///
///                       host                ┊     a namespace of its own
///     network ── parent ── packet socket ───┊──► tap ──► hold
///                  └─ macvlan (instance) ◄──┊─── macvlan, a sibling ◄── hold
///
/// The packet socket hears whole trains of segments without checksums; the tap, which can do
/// neither, gets them as a wire would carry them. A frame to the instance that its sibling sends
/// does not leave the host. The namespace goes with the descriptor: nothing is ever left of it.
final class MacvlanWire: Sendable {
    let namespace: Descriptor
    let route: RouteSocket
    let capture: Descriptor
    private let outlet: Descriptor
    private let inlet: Descriptor
    private let parent: Link
    private let host: Int32
    private let hardware: [UInt8]
    private let sibling: UInt32

    /// Makes everything but the tap.
    ///
    /// - Throws: `notFound` without the parent; `kernelRefused` where it carries no macvlans.
    init(_ interface: InterfaceDefinition, name: String, host: Int32) throws {
        guard let parent = try RouteSocket(of: host).link(interface.bridge) else {
            throw GodwitError(
                .notFound, "there is no interface \(interface.bridge) on this host",
                remedy: "name another")
        }
        let number = godwit_network_new()
        guard number >= 0 else {
            throw GodwitError.kernel("make a network namespace", code: -number)
        }
        namespace = Descriptor(taking: number)
        route = try RouteSocket(of: -number)
        try RouteSocket(of: host).tell(
            [.addMacvlan(name, parent: parent.index, mtu: parent.mtu, namespace: number)],
            to: "make a macvlan on \(interface.bridge)")
        guard let link = try route.link(name) else {
            throw GodwitError(.kernelRefused, "the macvlan \(name) went as soon as it was made")
        }
        sibling = link.index
        try? route.tell([.withoutAddresses(sibling)], to: "leave \(name) without addresses")
        try route.tell([.setUpQuietly(sibling)], to: "set \(name) up")
        capture = try Self.socket(host)
        outlet = try Self.socket(-number)
        inlet = try Self.socket(-number)
        hardware = try LinkAddresses.hardware(interface.hardwareAddress)
        self.parent = parent
        self.host = host
        try Self.done(godwit_packet_headers(capture.number), "hear frames as they are")
        try Self.done(godwit_packet_headers(inlet.number), "send frames as they are")
        for address in [hardware] + (try Self.groups(interface)) {
            try Self.done(
                unsafe godwit_packet_join(capture.number, Int32(parent.index), address),
                "take frames of an instance")
        }
    }

    var mtu: UInt32 { parent.mtu }

    /// What is sent to the instance is heard from now on.
    func listen() throws {
        // The kernel counts its own overhead, too.
        let room = 4 * Int32(Limit.heldBytes.bytes)
        try Self.done(
            unsafe godwit_packet_capture(capture.number, Int32(parent.index), hardware, room),
            "hear what is sent to an instance")
    }

    /// No more is heard.
    func deafen() throws {
        try Self.done(godwit_packet_deafen(capture.number), "hear no more")
    }

    /// Has one frame that was heard come to the tap; false if there is none.
    func pass(to tap: UInt32, through buffer: inout [UInt8]) -> Bool {
        let size = buffer.count
        // SAFETY: the buffer has the size that is given.
        return unsafe buffer.withUnsafeMutableBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return false }
            return unsafe godwit_packet_pass(
                capture.number, inlet.number, Int32(tap), base, size) == 1
        }
    }

    /// Lets the instance have the frame. A question to many would also go out to the network, where
    /// it would tell switches a wrong place: it is asked of the instance alone.
    func send(_ frame: HeldFrame) -> Bool {
        let isToMany = frame.bytes[0] & 1 == 1
        let bytes = isToMany ? hardware + frame.bytes.dropFirst(6) : frame.bytes
        return unsafe godwit_packet_send_by(
            outlet.number, Int32(sibling), bytes, bytes.count) == 0
    }

    /// Tells the network behind the parent.
    func announce(_ announcement: Announcement) throws {
        let socket = try Self.socket(host)
        for frame in announcement.frames {
            try Self.done(
                unsafe godwit_packet_send_by(
                    socket.number, Int32(parent.index), frame, frame.count), "announce an address")
        }
    }

    func remove() {
        try? route.tell([.deleteLink(sibling)], to: "remove a macvlan")
    }

    /// The groups in which the instance is asked for its addresses (RFC 4291, section 2.7.1).
    private static func groups(_ interface: InterfaceDefinition) throws -> Set<[UInt8]> {
        Set(
            try interface.addresses.map { try LinkAddresses.network($0).bytes }
                .filter { $0.count == 16 }.map { [0x33, 0x33, 0xff] + $0.suffix(3) })
    }

    private static func socket(_ place: Int32) throws -> Descriptor {
        let number = godwit_socket_of(place, AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
        guard number >= 0 else {
            throw GodwitError.kernel("open a packet socket", code: -number)
        }
        return Descriptor(taking: number)
    }

    private static func done(_ code: Int32, _ action: String) throws {
        guard code == 0 else { throw GodwitError.kernel(action, code: code) }
    }
}
