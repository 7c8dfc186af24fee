/// Ethernet frames with which machines of one network find each other.
enum NeighbourFrames {
    /// `ff02::1`
    static let allNodes: [UInt8] = [0xff, 0x02] + [UInt8](repeating: 0, count: 13) + [1]

    /// A broadcast ARP request (RFC 826) for an IPv4 address.
    static func arp(from hardware: [UInt8], _ own: [UInt8], for address: [UInt8]) -> [UInt8] {
        let broadcast = [UInt8](repeating: 0xff, count: 6)
        let head: [UInt8] = [0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x01]
        return broadcast + hardware + head + hardware + own + [UInt8](repeating: 0, count: 6)
            + address
    }

    /// A neighbour solicitation (RFC 4861, section 4.3) as it is sent for an address that nobody is
    /// known to have (RFC 4862, section 5.4.2): from no address, to the address's own group.
    static func solicitation(from hardware: [UInt8], for address: [UInt8]) -> [UInt8] {
        let group: [UInt8] =
            [0xff, 0x02] + [UInt8](repeating: 0, count: 9) + [1, 0xff] + address.suffix(3)
        let nobody = [UInt8](repeating: 0, count: 16)
        return toMany(from: hardware, nobody, to: group, [135, 0, 0, 0, 0, 0, 0, 0] + address)
    }

    /// - Parameter message: an ICMPv6 message whose checksum is still zero, of an even length below
    ///   256.
    static func toMany(
        from hardware: [UInt8], _ own: [UInt8], to group: [UInt8], _ message: [UInt8]
    ) -> [UInt8] {
        precondition(group.count == 16 && group[0] == 0xff && message.count < 256)
        var body = message
        let sum = internetChecksum(own + group + [0, 0, 0, UInt8(body.count), 0, 0, 0, 58] + body)
        body[2] = UInt8(sum >> 8)
        body[3] = UInt8(sum & 0xff)
        let header: [UInt8] = [0x60, 0, 0, 0, 0, UInt8(body.count), 58, 255]
        return [0x33, 0x33] + group.suffix(4) + hardware + [0x86, 0xdd] + header + own + group
            + body
    }
}

/// RFC 1071 over an even number of bytes.
package func internetChecksum(_ bytes: [UInt8]) -> UInt16 {
    precondition(bytes.count.isMultiple(of: 2))
    var sum: UInt32 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
        sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
    }
    while sum > 0xffff { sum = (sum & 0xffff) + sum >> 16 }
    return ~UInt16(sum)
}

/// Somebody who says that an address is his.
struct NeighbourAnswer: Equatable {
    let hardware: [UInt8]
    let address: [UInt8]

    /// Reads an ARP reply or a neighbour advertisement; nil for any other frame.
    init?(frame: ArraySlice<UInt8>) {
        let bytes = Array(frame)
        guard bytes.count >= 42 else { return nil }
        let source = Array(bytes[6..<12])
        switch (bytes[12], bytes[13]) {
        case (0x08, 0x06):
            // Ethernet, IPv4, a reply.
            guard bytes[14..<22].elementsEqual([0, 1, 8, 0, 6, 4, 0, 2]) else { return nil }
            (hardware, address) = (source, Array(bytes[28..<32]))
        case (0x86, 0xdd):
            // ICMPv6 without other headers, sent by a neighbour, an advertisement.
            guard bytes.count >= 78, bytes[20] == 58, bytes[21] == 255, bytes[54] == 136 else {
                return nil
            }
            (hardware, address) = (source, Array(bytes[62..<78]))
        default: return nil
        }
    }
}
