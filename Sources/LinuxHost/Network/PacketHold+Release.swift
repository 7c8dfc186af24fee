import CLinux
import Foundation
import MigrationCore

extension PacketHold {
    /// Lets the instance have what was kept, in its order, and then everything that arrives anew.
    /// Opens the host end and waits 200 ms at most until both ends can transmit. The tap stays,
    /// unused, until `drop`. Idempotent, and does nothing after `drop`.
    ///
    /// - Parameter instance: a process in the instance's network namespace.
    /// - Throws: `kernelRefused`, still holding, unless there is such a host end and it can be set
    ///   up.
    @discardableResult
    package func deliver(into end: HostEnd, of instance: Int32) async throws -> HoldTally {
        guard !hasEnded else { return tally }
        if let wire { return try await deliver(through: wire, of: instance) }
        let link = try await open(end, instance)
        try await blocking { [self] in
            let outlet = try Outlet(host: host, index: link.index)
            try withState { state in
                guard state.phase == .holding else { return }
                defer { state.phase = .ended }
                deliver(&state) { outlet.send($0) }
                try route.tell(
                    [
                        .place(hardware, at: link.index, .learnt),
                        .port(index, takesFloods: false),
                    ], to: "send the instance's frames to \(end.name)")
                awaitStragglers()
                deliver(&state) { outlet.send($0) }
            }
            withState { $0.phase = .ended }
        }
        return tally
    }

    /// The macvlan must let its sibling in before that can bring it anything, and the network comes
    /// in with it: what arrives in these moments may pass by what was kept. A frame that arrives
    /// between the two calls comes twice, and none gets lost.
    private func deliver(
        through wire: MacvlanWire, of instance: Int32
    ) async throws -> HoldTally {
        let end = MacvlanEnd(name: innerName)
        try await end.letOut(of: instance)
        try await blocking { [self] in
            try withState { state in
                try end.letIn(of: instance)
                guard state.phase == .holding else { return }
                defer { state.phase = .ended }
                try wire.deafen()
                deliver(&state) { wire.send($0) }
            }
            withState { $0.phase = .ended }
        }
        return tally
    }

    /// `deliver` and `drop`: returns when nothing is left of the hold, for which the kernel takes
    /// longer than for all else.
    @discardableResult
    package func release(into end: HostEnd, of instance: Int32) async throws -> HoldTally {
        let tally = try await deliver(into: end, of: instance)
        await drop()
        return tally
    }

    /// Ends the hold; what is still kept is lost. Returns when nothing is left of it. Idempotent.
    package func drop() async {
        withState { $0.phase = .ended }
        try? wire?.deafen()
        try? await blocking { [self] in
            // A newer hold of this interface may have its tap there by now.
            guard let link = try route.link(name), link.index == index else { return }
            try Self.remove(name, route)
            wire?.remove()
        }
    }

    private var hasEnded: Bool { withState { $0.phase == .ended } }

    /// What the instance sent before both ends and the bridge are ready would be lost, its first
    /// question for a neighbour with it, and that is repeated only after a second.
    private func open(_ end: HostEnd, _ instance: Int32) async throws -> Link {
        let link = try end.link(route)
        if !link.isSettled {
            try route.tell([.setUp(true, link.index)], to: "set \(end.name) up")
            _ = try await holds(within: .milliseconds(200)) {
                try route.link(end.name)?.isSettled ?? false
            }
        }
        // An instance that has no such interface any more, or has set it down, is not waited for.
        if let inside = try? RouteSocket(of: instance), let inner = try inside.link(innerName),
            inner.isUp
        {
            _ = try await holds(within: .milliseconds(200)) {
                try inside.link(innerName)?.isSettled ?? true
            }
            // Changes nothing, and waits for the lock under which an end first counts as ready and
            // then becomes it.
            try? inside.tell([.setUp(true, inner.index)], to: "set \(innerName) up")
        }
        try? route.tell([.port(link.index, isOpen: true)], to: "open \(end.name)")
        return link
    }

    /// Everything that is kept, and everything that comes until nothing more does.
    private func deliver(_ state: inout State, _ send: (HeldFrame) -> Bool) {
        for frame in state.store.removeAll() {
            state.store.delivered(send(frame))
        }
        // A flood would keep this going for ever.
        for _ in 0..<Limit.heldFrames {
            guard let frame = next(&state) else { return }
            state.store.deliveredAtOnce(send(frame))
        }
    }

    /// A frame whose way another processor had chosen just before arrives within microseconds.
    private func awaitStragglers() {
        var waiting = pollfd(fd: tap.number, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&waiting, 1, 1)
    }
}

/// Sends frames out of a host end, which is into the instance.
private struct Outlet {
    private let socket: Descriptor
    private let index: Int32

    init(host: Int32, index: UInt32) throws {
        let number = godwit_socket_of(host, AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
        guard number >= 0 else {
            throw GodwitError.kernel("open a packet socket", code: -number)
        }
        socket = Descriptor(taking: number)
        self.index = Int32(bitPattern: index)
    }

    /// Whether the instance's interface took it. Its queue holds some 1,000 frames and empties in
    /// microseconds.
    func send(_ frame: HeldFrame) -> Bool {
        let bytes = frame.bytes
        for _ in 0..<20 {
            let error = unsafe godwit_packet_send_by(socket.number, index, bytes, bytes.count)
            guard error == ENOBUFS else { return error == 0 }
            usleep(100)
        }
        return false
    }
}
