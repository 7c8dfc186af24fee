package import MigrationCore

/// Tells which frames an instance would miss if they were lost: those to its hardware address, and
/// the questions who has its addresses. All else that is sent to many is repeated by whoever sends
/// it, or is of no use later.
package struct HoldFilter: Equatable, Sendable {
    private let hardware: [UInt8]
    private let addresses: Set<[UInt8]>

    /// - Throws: `badRequest` for an address that is none.
    package init(_ interface: InterfaceDefinition) throws {
        hardware = try LinkAddresses.hardware(interface.hardwareAddress)
        addresses = Set(try interface.addresses.map { try LinkAddresses.network($0).bytes })
    }

    /// - Parameter frame: a whole Ethernet frame, with one VLAN tag at most.
    package func keeps(_ frame: ArraySlice<UInt8>) -> Bool {
        guard frame.count >= 14 else { return false }
        let target = frame.prefix(6)
        // What says that it comes from the instance is an announcement of the other host.
        guard !frame.dropFirst(6).prefix(6).elementsEqual(hardware) else { return false }
        if target.elementsEqual(hardware) { return true }
        guard target.first.map({ $0 & 1 == 1 }) ?? false else { return false }
        let isTagged = Self.number(in: frame, at: 12) == 0x8100
        return asks(frame.dropFirst(isTagged ? 16 : 12))
    }

    /// - Parameter frame: from its type on.
    private func asks(_ frame: ArraySlice<UInt8>) -> Bool {
        switch Self.number(in: frame, at: 0) {
        case 0x0806:
            // ARP: operation 1, the address asked for at the end.
            Self.number(in: frame, at: 8) == 1 && has(frame.dropFirst(26).prefix(4))
        case 0x86dd:
            // IPv6 with ICMP next, a neighbour solicitation, its target.
            frame.dropFirst(8).first == 58 && frame.dropFirst(42).first == 135
                && has(frame.dropFirst(50).prefix(16))
        default: false
        }
    }

    private func has(_ address: ArraySlice<UInt8>) -> Bool { addresses.contains(Array(address)) }

    private static func number(in frame: ArraySlice<UInt8>, at offset: Int) -> UInt16? {
        let bytes = frame.dropFirst(offset).prefix(2)
        guard bytes.count == 2, let high = bytes.first, let low = bytes.last else { return nil }
        return UInt16(high) << 8 | UInt16(low)
    }
}
