import CLinux
import Foundation
import MigrationCore

extension PacketHold {
    /// Lets the instance have what was kept, in its order, and then everything that arrives anew.
    /// Sets the host end up and waits 200 ms at most for it; returns when nothing is left of the
    /// hold. Idempotent, and does nothing after `drop`.
    ///
    /// - Throws: `kernelRefused`, still holding, unless there is such a host end and it can be set
    ///   up.
    @discardableResult
    package func release(into end: HostEnd) async throws -> HoldTally {
        guard !hasEnded else { return tally }
        let link = try await ready(end)
        try await blocking { [self] in
            let outlet = try Outlet(host: host, index: link.index)
            defer { try? Self.remove(name, route) }
            try withState { state in
                guard state.phase == .holding else { return }
                defer { state.phase = .ended }
                deliver(&state, through: outlet)
                try route.tell(
                    [
                        .place(hardware, at: link.index, .learnt),
                        .port(index, takesFloods: false),
                    ], to: "send the instance's frames to \(end.name)")
                awaitStragglers()
                deliver(&state, through: outlet)
            }
            withState { $0.phase = .ended }
        }
        return tally
    }

    /// Ends the hold; what is still kept is lost. Returns when nothing is left of it. Idempotent.
    package func drop() async {
        withState { $0.phase = .ended }
        try? await blocking { [self] in try Self.remove(name, route) }
    }

    private var hasEnded: Bool { withState { $0.phase == .ended } }

    /// The host end, up. Without waiting for what the kernel then does in its own time the instance
    /// would get frames that it cannot answer yet.
    private func ready(_ end: HostEnd) async throws -> Link {
        guard let link = try route.link(end.name) else {
            throw GodwitError(.kernelRefused, "there is no interface \(end.name) to release into")
        }
        guard !link.isRunning else { return link }
        try route.tell([.setUp(true, link.index)], to: "set \(end.name) up")
        _ = try await holds(within: .milliseconds(200)) {
            try route.link(end.name)?.isRunning ?? false
        }
        return link
    }

    /// Everything that is kept, and everything that comes until nothing more does.
    private func deliver(_ state: inout State, through outlet: borrowing Outlet) {
        for frame in state.store.removeAll() {
            state.store.delivered(outlet.send(frame))
        }
        // A flood would keep this going for ever.
        for _ in 0..<Limit.heldFrames {
            guard let frame = next(&state) else { return }
            state.store.deliveredAtOnce(outlet.send(frame))
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
