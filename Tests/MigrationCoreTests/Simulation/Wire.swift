import MigrationCore
import TestSupport

/// What is on its way between the two hosts.
struct Wire {
    struct Connection { let number: Int; var isDoomed = false }

    struct Packet {
        enum Content { case message(Message), end }
        let connection: Int
        let to: Side
        let content: Content
        /// The move before which it does not arrive, unless the world is kind.
        var earliest = 0
    }

    var current: Connection?
    var packets: [Packet] = []
    var connections = 0

    /// Whether no other packet has to arrive before this one, on a wire that keeps the order.
    func isFirst(_ index: Int) -> Bool {
        let packet = packets[index]
        return !packets[..<index].contains {
            $0.connection == packet.connection && $0.to == packet.to
        }
    }
}

extension World {
    /// Whether a connection that cannot be made is given up, and not tried for ever.
    var canFailToConnect: Bool { source.machine?.canCancel ?? false }

    mutating func connect() {
        if target.isUp && (isKind || !random.chance(scenario.breaks)) {
            wire.connections += 1
            let number = wire.connections
            wire.current = Wire.Connection(number: number)
            source.wantsLink = false
            note("(connection \(number))")
            source.inbox.append(.linked)
        } else if canFailToConnect {
            source.wantsLink = false
            source.inbox.append(.linkLost)
        }
    }

    mutating func send(_ message: Message, to side: Side) {
        guard let connection = wire.current else { return }
        wire.packets.append(
            Wire.Packet(connection: connection.number, to: side, content: .message(message))
        )
    }

    /// Ends the connection; the sides named hear of it, after all that was said before.
    mutating func hangUp(heardBy sides: [Side]) {
        guard let connection = wire.current else { return }
        wire.current = nil
        for side in sides {
            wire.packets.append(
                Wire.Packet(connection: connection.number, to: side, content: .end)
            )
        }
        guard !isKind else { return }
        // What was said before a break may come long after it, and so may the news of the break.
        for index in wire.packets.indices
        where wire.packets[index].connection == connection.number {
            wire.packets[index].earliest = moves + random.below(60)
        }
    }

    /// Breaks the connection. What was on its way may be lost, or arrive late.
    mutating func breakLink() {
        guard let connection = wire.current else { return }
        note("(connection \(connection.number) breaks)")
        for index in wire.packets.indices.reversed() {
            guard case .message = wire.packets[index].content else { continue }
            if scenario.isOrdered || random.chance(500) { wire.packets.remove(at: index) }
        }
        hangUp(heardBy: [.source, .target])
    }

    mutating func deliver(_ index: Int) {
        let packet = wire.packets[index]
        if case .message = packet.content, !isKind, random.chance(scenario.doubles) {
            let told = text(of: packet)
            note("(doubled: \(told))")
        } else {
            wire.packets.remove(at: index)
        }
        if case .message = packet.content, !isKind, random.chance(scenario.losses) {
            // A wire that loses a message is about to break: whoever waits for an answer will see.
            if wire.current?.number == packet.connection { wire.current?.isDoomed = true }
            let told = text(of: packet)
            return note("(lost: \(told))")
        }
        let isLate = packet.connection != wire.current?.number
        switch (packet.to, packet.content) {
        case (.source, .message(let message)): source.hear(.received(message))
        case (.source, .end): source.hear(.linkLost)
        case (.target, .message(let message)):
            target.hear(.received(message))
            // A late message comes on a connection that has ended, and its reader sees that too.
            if isLate && wire.current == nil { target.hear(.linkLost) }
        case (.target, .end): target.hear(.linkLost)
        }
    }

    private func text(of packet: Wire.Packet) -> String {
        switch packet.content {
        case .message(let message): "\(message.text) to the \(packet.to.rawValue)"
        case .end: "end to the \(packet.to.rawValue)"
        }
    }
}
