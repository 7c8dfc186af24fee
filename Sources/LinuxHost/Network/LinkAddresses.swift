import MigrationCore

/// Reads the addresses of an interface's definition into bytes.
enum LinkAddresses {
    /// - Throws: `badRequest` unless it is six hexadecimal pairs with colons.
    static func hardware(_ text: String) throws -> [UInt8] {
        let bytes = text.split(separator: ":").compactMap { UInt8($0, radix: 16) }
        guard bytes.count == 6 else {
            throw GodwitError(
                .badRequest, "\"\(text)\" is not a hardware address",
                remedy: "write six hexadecimal pairs with colons")
        }
        return bytes
    }

    /// The address before a prefix length.
    ///
    /// - Throws: `badRequest` if it is none.
    static func network(_ text: String) throws -> NetworkAddress {
        let plain = text.prefix { $0 != "/" }
        guard let address = NetworkAddress(plain) else {
            throw GodwitError(
                .badRequest, "\"\(plain)\" is not an IP address",
                remedy: "write it as 10.0.0.5/24 or fd00::5/64")
        }
        return address
    }
}
