/// What is asked of the routing socket about macvlans.
extension NetlinkMessage {
    /// Which frames a macvlan gets (`enum macvlan_mode`).
    package enum MacvlanMode: UInt32, Sendable {
        /// Those to its address, also from its siblings on the same parent.
        case bridge = 4
        /// Those from addresses that it is told of; with none of them nothing. Frames to its
        /// address then stay with the parent.
        case source = 16
    }

    /// Makes a macvlan of the parent in another namespace.
    static func addMacvlan(
        _ name: String, parent: UInt32, mtu: UInt32, namespace: Int32
    ) -> NetlinkMessage {
        NetlinkMessage(
            type: 16, flags: acknowledged | create | exclusive, header: linkHeader(index: 0)
        )
        .adding(3, text(name)).adding(4, littleEndian(mtu)).adding(5, littleEndian(parent))
        .adding(28, littleEndian(UInt32(bitPattern: namespace)))
        .adding(18 | nested, macvlan(.bridge))
    }

    static func mode(_ mode: MacvlanMode, _ index: UInt32) -> NetlinkMessage {
        NetlinkMessage(type: 16, flags: acknowledged, header: linkHeader(index: index))
            .adding(18 | nested, macvlan(mode))
    }

    /// Takes the interface's carrier, and lets it keep its addresses and routes: nothing goes out.
    static func cut(_ isCut: Bool, _ index: UInt32) -> NetlinkMessage {
        // IFLA_PROTO_DOWN
        NetlinkMessage(type: 19, flags: acknowledged, header: linkHeader(index: index))
            .adding(39, [isCut ? 1 : 0])
    }

    /// Sets up an interface that asks for no neighbours and answers none.
    static func setUpQuietly(_ index: UInt32) -> NetlinkMessage {
        // IFF_UP, IFF_NOARP.
        NetlinkMessage(
            type: 19, flags: acknowledged,
            header: linkHeader(index: index, flags: 0x81, changed: 0x81))
    }

    /// - Parameter queue: frames that wait in the interface for their reader.
    static func size(_ index: UInt32, mtu: UInt32, queue: Int) -> NetlinkMessage {
        NetlinkMessage(type: 19, flags: acknowledged, header: linkHeader(index: index))
            .adding(4, littleEndian(mtu)).adding(13, littleEndian(UInt32(queue)))
    }

    private static func macvlan(_ mode: MacvlanMode) -> [UInt8] {
        // IFLA_INFO_KIND, IFLA_INFO_DATA with IFLA_MACVLAN_MODE.
        attribute(1, text("macvlan"))
            + attribute(2 | nested, attribute(1, littleEndian(mode.rawValue)))
    }
}
