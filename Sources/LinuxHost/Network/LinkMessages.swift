/// All that is asked of the kernel's routing socket. Each saves the 2 to 4 ms that a tool takes.
extension NetlinkMessage {
    package static func link(named name: String) -> NetlinkMessage {
        NetlinkMessage(type: 18, flags: 0, header: linkHeader(index: 0)).adding(3, text(name))
    }

    static func deleteLink(_ index: UInt32) -> NetlinkMessage {
        NetlinkMessage(type: 17, flags: acknowledged, header: linkHeader(index: index))
    }

    /// Sets the interface up or down.
    static func setUp(_ isUp: Bool, _ index: UInt32) -> NetlinkMessage {
        NetlinkMessage(
            type: 19, flags: acknowledged,
            header: linkHeader(index: index, flags: isUp ? 1 : 0, changed: 1))
    }

    /// Gives the interface no IPv6 address of its own.
    static func withoutAddresses(_ index: UInt32) -> NetlinkMessage {
        // IFLA_AF_SPEC, AF_INET6, IFLA_INET6_ADDR_GEN_MODE: IN6_ADDR_GEN_MODE_NONE.
        let version6 = attribute(10, attribute(8, [1]))
        return NetlinkMessage(type: 19, flags: acknowledged, header: linkHeader(index: index))
            .adding(26, version6)
    }

    /// Makes the interface a port of the bridge and sets it up.
    ///
    /// - Parameter queue: frames that wait in the interface for their reader.
    static func join(
        _ index: UInt32, bridge: UInt32, hardware: [UInt8], mtu: UInt32, queue: Int
    ) -> NetlinkMessage {
        NetlinkMessage(
            type: 19, flags: acknowledged,
            header: linkHeader(index: index, flags: 1, changed: 1)
        )
        .adding(1, hardware).adding(4, littleEndian(mtu)).adding(10, littleEndian(bridge))
        .adding(13, littleEndian(UInt32(queue)))
    }

    /// What a bridge's port learns (nothing) and what of the frames to many goes out of it.
    static func port(_ index: UInt32, takesFloods: Bool) -> NetlinkMessage {
        let flood: [UInt8] = [takesFloods ? 1 : 0]
        // Learning, floods of unknown addresses, of multicasts, of broadcasts. A port that counts
        // as a multicast router (2: always, 0: never) gets solicitations past the bridge's
        // snooping.
        let values: [(UInt16, [UInt8])] = [
            (8, [0]), (9, [0]), (27, flood), (30, flood), (25, [takesFloods ? 2 : 0]),
        ]
        let protocolInformation = values.flatMap { attribute($0.0, $0.1) }
        return NetlinkMessage(
            type: 19, flags: acknowledged, header: linkHeader(index: index, family: 7)
        )
        .adding(12 | nested, protocolInformation)
    }

    /// Lets a port of a bridge pass frames, or none in either direction, while its interface stays
    /// up.
    static func port(_ index: UInt32, isOpen: Bool) -> NetlinkMessage {
        // IFLA_BRPORT_STATE: forwarding, disabled.
        let state = attribute(1, [isOpen ? 3 : 0])
        return NetlinkMessage(
            type: 19, flags: acknowledged, header: linkHeader(index: index, family: 7)
        )
        .adding(12 | nested, state)
    }

    /// How long a hardware address stays at the port that it is said to be at.
    package enum Residence: Equatable, Sendable {
        /// As if learnt: until another port hears it or nobody does for long.
        case learnt
        /// Until another port hears it.
        case untilHeard
        /// Whatever other ports hear.
        case pinned
    }

    /// Tells the bridge at which of its ports a hardware address is.
    package static func place(
        _ hardware: [UInt8], at index: UInt32, _ residence: Residence
    ) -> NetlinkMessage {
        // NUD_REACHABLE ages, NUD_NOARP does not; NTF_MASTER, NTF_STICKY.
        let state: UInt16 = residence == .learnt ? 0x02 : 0x40
        let flags: UInt8 = residence == .pinned ? 0x44 : 0x04
        let header =
            [7, 0, 0, 0] + littleEndian(index) + littleEndian(state) + [flags, 0]
        return NetlinkMessage(
            type: 28, flags: acknowledged | create | replace, header: header
        )
        .adding(2, hardware)
    }

    static let nested: UInt16 = 0x8000

    static func linkHeader(
        index: UInt32, flags: UInt32 = 0, changed: UInt32 = 0, family: UInt8 = 0
    ) -> [UInt8] {
        [family, 0, 0, 0] + littleEndian(index) + littleEndian(flags) + littleEndian(changed)
    }

    static func text(_ name: String) -> [UInt8] { Array(name.utf8) + [0] }
}
