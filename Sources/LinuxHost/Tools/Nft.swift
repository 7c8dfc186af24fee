package import MigrationCore

/// All that is asked of nftables.
package enum Nft {
    package static let tool = "nft"

    /// Has the instance's published ports lead to it, in place of what its table said before: in
    /// one step, so that no packet sees half of it. The text goes to standard input.
    package static func publish(
        _ definition: InstanceDefinition, table: String
    ) -> (command: Command, input: String) {
        let lines = (definition.ports ?? []).flatMap { rules(for: $0, of: definition) }
        let chains = [
            ("prerouting", "dstnat"),
            // What the host itself sends to its own addresses.
            ("output", "-100"),
        ]
        let body = chains.map { hook, priority in
            """
              chain \(hook) {
                type nat hook \(hook) priority \(priority); policy accept;
            \(lines.map { "    \($0)\n" }.joined())  }

            """
        }
        let text = """
            table inet \(table) {}
            delete table inet \(table)
            table inet \(table) {
            \(body.joined())}

            """
        return (Command(tool, ["-f", "-"]), text)
    }

    /// Also where there is no such table.
    package static func withdraw(table: String) -> (command: Command, input: String) {
        (Command(tool, ["-f", "-"]), "table inet \(table) {}\ndelete table inet \(table)\n")
    }

    private static func rules(
        for port: PortDefinition, of definition: InstanceDefinition
    ) -> [String] {
        [false, true].compactMap { isVersion6 in
            guard let inside = definition.publishedAddress(isVersion6: isVersion6) else {
                return nil
            }
            let family = isVersion6 ? "ip6" : "ip"
            let there = isVersion6 ? "[\(inside)]" : "\(inside)"
            let here: String
            if let text = port.hostAddress {
                guard let address = NetworkAddress(text),
                    (address.bytes.count == 16) == isVersion6
                else { return nil }
                here = "\(family) daddr \(address)"
            } else {
                here = "meta nfproto ipv\(isVersion6 ? 6 : 4) fib daddr type local"
            }
            return "\(here) \(port.transport.rawValue) dport \(port.hostPort) "
                + "dnat \(family) to \(there):\(port.port)"
        }
    }
}
