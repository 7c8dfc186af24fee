import CLinux
import Foundation
package import MigrationCore
import Synchronization

/// Keeps the frames for one interface of an instance while the instance cannot take them, so that
/// no client's retransmission timer, which doubles each time, stretches a blackout.
///
/// Beside the host end of the instance's veth it makes a tap, a port of the same bridge. Nothing
/// reaches the tap until `start` tells the bridge that the instance's hardware address is there.
/// A macvlan, which has no host end, has a `MacvlanWire` in the bridge's place.
///
/// | call      | takes (measured)       | what a switch and a client see                       |
/// |-----------|------------------------|------------------------------------------------------|
/// | `prepare` | 1 to 30 ms, early      | nothing                                              |
/// | `start`   | 0.03 to 0.1 ms         | frames are kept                                      |
/// | `deliver` | 1 to 5 ms              | all that was kept in its order, then what comes anew |
/// | `drop`    | 15 to 60 ms, late      | nothing                                              |
///
/// The tap lives as long as the process that made it: after its death frames take the old way.
package final class PacketHold: Sendable {
    /// The tap's name on the host.
    package let name: String
    let hardware: [UInt8]
    let tap: Descriptor
    let route: RouteSocket
    let index: UInt32
    /// A process in the host's network namespace, or 0.
    let host: Int32
    /// The interface's name inside the instance.
    let innerName: String
    /// There for a macvlan.
    let wire: MacvlanWire?
    private let filter: HoldFilter
    private let state: Mutex<State>

    enum Phase { case prepared, holding, ended }

    struct State {
        var phase = Phase.prepared
        var store = HoldStore()
        /// Room for the largest frame.
        var buffer: [UInt8]
        /// Room for what a parent hears at once.
        var train: [UInt8] = []
    }

    private init(
        name: String, interface: InterfaceDefinition, tap: Descriptor, route: RouteSocket,
        index: UInt32, mtu: UInt32, host: Int32, wire: MacvlanWire? = nil
    ) throws {
        self.wire = wire
        self.name = name
        self.tap = tap
        self.route = route
        self.index = index
        self.host = host
        filter = try HoldFilter(interface)
        innerName = interface.name
        hardware = try LinkAddresses.hardware(interface.hardwareAddress)
        let train = wire == nil ? 0 : Limit.heldFrame + Self.trainHeader
        state = Mutex(
            State(
                buffer: [UInt8](repeating: 0, count: Int(mtu) + 18),
                train: [UInt8](repeating: 0, count: train)))
    }

    /// Does what takes long, well before the freeze: makes the tap and has it settle.
    ///
    /// A tap that another hold of this interface has left is replaced.
    ///
    /// - Parameter host: a process in the host's network namespace, or 0 for this one.
    /// - Throws: `notFound` without the bridge; `kernelRefused` where there are no taps.
    package static func prepare(
        _ interface: InterfaceDefinition, beside end: HostEnd, host: Int32 = 0
    ) async throws -> PacketHold {
        if interface.isMacvlan { return try await prepareMacvlan(interface, end, host) }
        let route = try RouteSocket(of: host)
        guard let bridge = try route.link(interface.bridge) else {
            throw GodwitError(
                .notFound, "there is no bridge \(interface.bridge) on this host",
                remedy: "make it, or name another")
        }
        let name = name(beside: end)
        let tap = try await blocking {
            try remove(name, route)
            return try openTap(name, host)
        }
        guard let link = try route.link(name) else {
            throw GodwitError(.kernelRefused, "the tap \(name) went as soon as it was made")
        }
        // The bridge's own MTU is the least of its ports': a larger one changes nothing.
        let mtu = min(max(interface.mtu, bridge.mtu), largestMTU)
        try? route.tell([.withoutAddresses(link.index)], to: "leave \(name) without addresses")
        try route.tell(
            [
                .join(
                    link.index, bridge: bridge.index, hardware: tapAddress(name), mtu: mtu,
                    queue: 2 * Limit.heldFrames),
                .port(link.index, takesFloods: false),
            ], to: "make \(name) a port of \(interface.bridge)")
        _ = try await holds(within: .milliseconds(200)) {
            try route.link(name)?.isRunning ?? false
        }
        let hold = try PacketHold(
            name: name, interface: interface, tap: tap, route: route, index: link.index, mtu: mtu,
            host: host)
        hold.read()
        return hold
    }

    private static func prepareMacvlan(
        _ interface: InterfaceDefinition, _ end: HostEnd, _ host: Int32
    ) async throws -> PacketHold {
        let name = name(beside: end)
        let wire = try await blocking {
            try MacvlanWire(interface, name: end.name, host: host)
        }
        let tap = try openTap(name, -wire.namespace.number)
        guard let link = try wire.route.link(name) else {
            throw GodwitError(.kernelRefused, "the tap \(name) went as soon as it was made")
        }
        let mtu = min(max(interface.mtu, wire.mtu), largestMTU)
        try? wire.route.tell([.withoutAddresses(link.index)], to: "leave \(name) without addresses")
        try wire.route.tell(
            [
                .size(link.index, mtu: mtu, queue: 2 * Limit.heldFrames),
                .setUpQuietly(link.index),
            ], to: "set \(name) up")
        _ = try await holds(within: .milliseconds(200)) {
            try wire.route.link(name)?.isRunning ?? false
        }
        let hold = try PacketHold(
            name: name, interface: interface, tap: tap, route: wire.route, index: link.index,
            mtu: mtu, host: host, wire: wire)
        hold.read()
        return hold
    }

    /// A virtio_net_hdr without merged buffers.
    private static let trainHeader = 10

    /// Removes the tap that a hold of this interface has left, if there is one.
    package static func sweep(beside end: HostEnd, host: Int32 = 0) async throws {
        let name = name(beside: end)
        try await blocking { try remove(name, try RouteSocket(of: host)) }
    }

    package static func name(beside end: HostEnd) -> String {
        precondition(end.name.utf8.count <= 14, "a name of an interface has 15 bytes at most")
        return end.name + "h"
    }

    /// Keeps from now on what arrives for the instance. Idempotent.
    ///
    /// The address stays here whatever comes in elsewhere: at the source the instance still sends,
    /// at the target the original's last frames may be under way. The source silences its host end
    /// after this and not before: nothing is lost between the two, and the instance gets no more
    /// acknowledgements that make it send.
    package func start() throws {
        try state.withLock { state in
            guard state.phase == .prepared else { return }
            // Before the kernel is asked: what arrives while it answers is kept.
            state.phase = .holding
            do {
                if let wire { return try wire.listen() }
                try route.tell(
                    [.place(hardware, at: index, .pinned), .port(index, takesFloods: true)],
                    to: "send the instance's frames to \(name)")
            } catch {
                state.phase = .prepared
                throw error
            }
        }
    }

    /// Lets the bridge follow the next announcement that it hears. For the source, once its host
    /// end is silent: a frame of the instance itself would be one.
    package func yield() throws {
        guard wire == nil else { return }
        try route.tell(
            [.place(hardware, at: index, .untilHeard)], to: "let the address of \(name) move")
    }

    /// Tells the bridge and every switch behind it that the instance's addresses are here.
    package func announce(_ announcement: Announcement) throws {
        if let wire { return try wire.announce(announcement) }
        for frame in announcement.frames { try tap.write(frame[...]) }
    }

    /// Hands out, and no longer keeps, what has arrived: to be sent to the other host.
    package func take() -> [HeldFrame] {
        state.withLock { state in
            drain(&state)
            return state.store.take()
        }
    }

    /// Takes over frames that the other host kept; they are delivered before those kept here.
    /// What this hold would not have kept is passed over.
    package func give(_ frames: [HeldFrame]) {
        state.withLock { state in
            guard state.phase != .ended else { return }
            for frame in frames {
                if filter.keeps(frame.bytes[...]) {
                    state.store.give(frame)
                } else {
                    state.store.passOver()
                }
            }
        }
    }

    package var tally: HoldTally { state.withLock { $0.store.tally } }

    func withState<Value>(_ body: (inout sending State) throws -> sending Value) rethrows -> Value {
        try state.withLock(body)
    }

    /// Reads from the tap until it is empty.
    func drain(_ state: inout State) {
        // A flood would keep this going for ever.
        for _ in 0..<2 * Limit.heldFrames {
            guard let frame = next(&state) else { return }
            state.store.keep(frame)
        }
    }

    /// The next frame that is to be kept; nil when the tap is empty or gone.
    func next(_ state: inout State) -> HeldFrame? {
        while true {
            let capacity = state.buffer.count
            let count = unsafe state.buffer.withUnsafeMutableBytes {
                unsafe Foundation.read(tap.number, $0.baseAddress, capacity)
            }
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                if let wire, wire.pass(to: index, through: &state.train) { continue }
                return nil
            }
            let bytes = state.buffer[..<count]
            guard state.phase == .holding else { continue }
            guard filter.keeps(bytes), let frame = HeldFrame(bytes) else {
                state.store.passOver()
                continue
            }
            return frame
        }
    }

    /// Empties the tap as frames come, since what its own queue cannot hold is lost uncounted.
    private func read() {
        let (tap, capture) = (tap.number, wire?.capture.number)
        Thread.detachNewThread { [weak self] in
            while true {
                // A number below 0 is passed over.
                var waiting = [tap, capture ?? -1].map {
                    pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
                }
                // Now and then without a frame, to see whether anybody still wants them.
                let ready = unsafe poll(&waiting, nfds_t(waiting.count), 500)
                guard let self, ready >= 0 || errno == EINTR else { return }
                let isGone = waiting[0].revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0
                let hasEnded = state.withLock { state in
                    if ready > 0, state.phase != .ended { drain(&state) }
                    return state.phase == .ended
                }
                guard !isGone, !hasEnded else { return }
            }
        }
    }

    private static let largestMTU: UInt32 = 65_521

    private static func openTap(_ name: String, _ host: Int32) throws -> Descriptor {
        let number = unsafe godwit_tap_of(host, name)
        if number >= 0 { return Descriptor(taking: number) }
        var error = GodwitError.kernel("make the tap \(name)", code: -number)
        if -number == ENOENT || -number == ENODEV || -number == ENXIO {
            error = GodwitError(
                .kernelRefused, "this kernel has no taps",
                remedy: "load the module `tun`", cause: error.message)
        }
        throw error
    }

    /// Returns when the kernel has let go of the interface.
    static func remove(_ name: String, _ route: RouteSocket) throws {
        guard let link = try route.link(name) else { return }
        do {
            try route.tell([.deleteLink(link.index)], to: "remove \(name)")
        } catch {
            guard try route.link(name) == nil else { throw error }
        }
    }

    /// A bridge without an address of its own takes the lowest of its ports', and must not take
    /// this one's: nothing is as high as one that begins so.
    private static func tapAddress(_ name: String) -> [UInt8] {
        let digest = StreamDigest()
        digest.update(name)
        let text = Array(digest.text)
        return [0xfe]
            + (0..<5).map { UInt8(String(text[2 * $0...2 * $0 + 1]), radix: 16) ?? 0 }
    }
}
