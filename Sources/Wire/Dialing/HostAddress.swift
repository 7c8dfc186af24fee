package import MigrationCore

/// Where a host listens: `address:port`, `[IPv6]:port` or `name:port`.
package struct HostAddress: Equatable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    package init(_ text: String) throws(GodwitError) {
        let parts = Self.split(text)
        guard let (host, digits) = parts, let port = UInt16(digits), port > 0, !host.isEmpty,
            text.utf8.count <= 300, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else {
            throw GodwitError(
                .badRequest,
                "\"\(text.prefix(80))\" is not an address with a port",
                remedy: "write 192.0.2.7:7443, [2001:db8::7]:7443 or host.example:7443"
            )
        }
        self.host = host
        self.port = Int(port)
    }

    private static func split(_ text: String) -> (host: String, port: Substring)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let (host, port) = (text[..<colon], text[text.index(after: colon)...])
        if host.hasPrefix("["), host.hasSuffix("]") {
            return (String(host.dropFirst().dropLast()), port)
        }
        return host.contains(where: { ":[]".contains($0) }) ? nil : (String(host), port)
    }
}
