import CLinux
import Foundation
package import MigrationCore

/// Asks the networks of an instance whether somebody has one of its addresses already, as RFC 5227
/// (section 2.1.1) and RFC 4862 (section 5.4) do before an address is used.
///
/// The instance itself, which answers from the other host if both share a network, is told by its
/// hardware addresses and does not count: Linux answers by any interface for all of a machine's
/// addresses. Silence proves nothing: who is asleep does not answer.
package enum AddressProbe {
    /// Each address is asked for twice.
    private static let asking = Duration.milliseconds(50)
    /// For so long answers are listened for after the last question.
    private static let listening = Duration.milliseconds(100)

    /// The addresses, without prefix lengths, that others answered for. What cannot be asked (there
    /// is no such bridge, or it is down) is passed over. Takes 150 ms.
    ///
    /// - Parameter host: a process in the host's network namespace, or 0 for this one.
    package static func answered(
        for interfaces: [InterfaceDefinition], host: Int32 = 0
    ) async -> Set<String> {
        let own = Set(
            interfaces.compactMap { try? LinkAddresses.hardware($0.hardwareAddress) })
        return await withTaskGroup(of: Set<String>.self) { group in
            for interface in interfaces where !interface.addresses.isEmpty {
                group.addTask {
                    let found = try? await blocking { try answered(for: interface, own, host) }
                    return found ?? []
                }
            }
            return await group.reduce(into: []) { $0.formUnion($1) }
        }
    }

    private static func answered(
        for interface: InterfaceDefinition, _ own: Set<[UInt8]>, _ host: Int32
    ) throws -> Set<String> {
        let wanted = try interface.addresses.map(LinkAddresses.network)
        guard let bridge = try RouteSocket(of: host).link(interface.bridge), bridge.isUp,
            bridge.hardware.count == 6
        else { return [] }
        let questions = wanted.map { address in
            address.bytes.count == 4
                ? NeighbourFrames.arp(from: bridge.hardware, [0, 0, 0, 0], for: address.bytes)
                : NeighbourFrames.solicitation(from: bridge.hardware, for: address.bytes)
        }
        let kinds = Set(wanted.map { $0.bytes.count == 4 ? arpFrames : version6Frames })
        let sockets = try kinds.map { try listener(bridge.index, $0, host) }
        var found: Set<String> = []
        for wait in [asking, listening] {
            for question in questions {
                _ = unsafe godwit_packet_send_by(
                    sockets[0].number, Int32(bridge.index), question, question.count)
            }
            hear(sockets, for: wait) { answer in
                guard !own.contains(answer.hardware),
                    let address = wanted.first(where: { $0.bytes == answer.address })
                else { return }
                found.insert(address.description)
            }
        }
        return found
    }

    /// ETH_P_ARP, ETH_P_IPV6
    private static let arpFrames: UInt16 = 0x0806
    private static let version6Frames: UInt16 = 0x86dd

    private static func listener(
        _ index: UInt32, _ kind: UInt16, _ host: Int32
    ) throws -> Descriptor {
        let number = godwit_socket_of(host, AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
        guard number >= 0 else {
            throw GodwitError.kernel("open a socket for a bridge's neighbours", code: -number)
        }
        let socket = Descriptor(taking: number)
        let code = godwit_packet_listen(number, Int32(index), kind)
        guard code == 0 else { throw GodwitError.kernel("listen to neighbours", code: code) }
        return socket
    }

    /// Passes on what neighbours say until the time is over, however much that is.
    private static func hear(
        _ sockets: [Descriptor], for duration: Duration, _ body: (NeighbourAnswer) -> Void
    ) {
        let end = ContinuousClock.now + duration
        while true {
            let left = (end - .now) / .milliseconds(1)
            guard left > 0 else { return }
            var waiting = sockets.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
            let ready = unsafe poll(&waiting, nfds_t(waiting.count), Int32(left.rounded(.up)))
            guard ready > 0 else { continue }
            for (socket, state) in zip(sockets, waiting) where state.revents != 0 {
                guard let frame = try? socket.read(upTo: 2_048),
                    let answer = NeighbourAnswer(frame: frame[...])
                else { continue }
                body(answer)
            }
        }
    }
}
