/// One request to the kernel's routing socket (rtnetlink(7)).
///
///     +------------+-----------+------------+----------+---------+------------------+-----------
///     | length u32 | type u16  | flags u16  | seq u32  | pid u32 | family's header  | attributes
///     +------------+-----------+------------+----------+---------+------------------+-----------
///
/// Numbers are in the host's byte order, which is little-endian wherever Swift runs on Linux.
package struct NetlinkMessage: Equatable, Sendable {
    private let type: UInt16
    private let flags: UInt16
    private var body: [UInt8]

    static let request: UInt16 = 1
    static let acknowledged: UInt16 = 4
    static let replace: UInt16 = 0x100
    static let create: UInt16 = 0x400
    static let exclusive: UInt16 = 0x200
    static let headerSize = 16

    init(type: UInt16, flags: UInt16, header: [UInt8]) {
        precondition(header.count.isMultiple(of: 4))
        self.type = type
        self.flags = Self.request | flags
        body = header
    }

    /// Adds an attribute: its length without padding, its type, its value.
    func adding(_ attribute: UInt16, _ value: [UInt8]) -> NetlinkMessage {
        var message = self
        message.body += Self.attribute(attribute, value)
        return message
    }

    static func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
        return littleEndian(UInt16(value.count + 4)) + littleEndian(type) + value + padding
    }

    package func encoded(sequence: UInt32) -> [UInt8] {
        littleEndian(UInt32(Self.headerSize + body.count)) + littleEndian(type)
            + littleEndian(flags) + littleEndian(sequence) + littleEndian(UInt32(0)) + body
    }
}

/// What the kernel says of an interface.
package struct Link: Equatable, Sendable {
    package let index: UInt32
    package let isUp: Bool
    /// It can transmit, as far as the kernel knows (IFF_RUNNING).
    package let isRunning: Bool
    /// It is up, whatever is at its other end is, too, and the kernel has taken note of both.
    package let isSettled: Bool
    package let mtu: UInt32
    /// The number of its bridge, or 0.
    package let master: UInt32
    /// Its hardware address.
    let hardware: [UInt8]

    /// Reads a message of type RTM_NEWLINK; nil if it is none.
    package init?(answer: [UInt8]) {
        let body = answer[...].dropFirst(NetlinkMessage.headerSize)
        guard let index = number32(in: body, at: 4), let flags = number32(in: body, at: 8) else {
            return nil
        }
        self.index = index
        isUp = flags & 1 != 0
        let attributes = Self.attributes(of: body.dropFirst(16))
        isRunning = flags & 0x40 != 0
        // An interface also counts as running while its state is not known yet.
        isSettled = isRunning && attributes[16]?.first == 6
        mtu = attributes[4].flatMap { number32(in: $0, at: 0) } ?? 0
        hardware = attributes[1].map(Array.init) ?? []
        master = attributes[10].flatMap { number32(in: $0, at: 0) } ?? 0
    }

    private static func attributes(of bytes: ArraySlice<UInt8>) -> [UInt16: ArraySlice<UInt8>] {
        var rest = bytes
        var found: [UInt16: ArraySlice<UInt8>] = [:]
        while let head = number32(in: rest, at: 0) {
            let length = Int(head & 0xffff)
            guard length >= 4, length <= rest.count else { break }
            found[UInt16(head >> 16) & 0x3fff] = rest.prefix(length).dropFirst(4)
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return found
    }
}
