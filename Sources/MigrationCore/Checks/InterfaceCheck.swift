/// What an interface's definition says goes into commands and requests to the kernel: whatever is
/// not exactly a name, an address or a number in its bounds is refused.
struct InterfaceCheck: Check {
    let name = "interfaces"

    func findings(in comparison: Comparison) -> [Finding] {
        comparison.arriving.interfaces.prefix(Limit.interfacesPerInstance).flatMap { interface in
            interface.faults.prefix(Limit.addressesPerInterface).map { fault in
                Finding(
                    name, cause: "the interface \(interface.name.prefix(20)): \(fault)",
                    cure: "make the instance anew with a valid interface")
            }
        }
    }
}

extension InterfaceDefinition {
    /// What is wrong with it, to be read by a person; empty if the kernel can be asked for it.
    package var faults: [String] {
        let names = [("name", name), ("bridge", bridge)].filter { !Self.isName($0.1) }
            .map { "\"\($0.1.prefix(40))\" is no interface's name (\($0.0))" }
        let hardware =
            Self.isHardwareAddress(hardwareAddress)
            ? [] : ["\"\(hardwareAddress.prefix(40))\" is no hardware address of one machine"]
        let networks = (addresses + (routes ?? []).map(\.network))
            .filter { NetworkPrefix($0) == nil }
            .map { "\"\($0.prefix(60))\" is no address with a prefix length (10.0.0.5/24)" }
        let cables =
            cable.map { $0.isValid } ?? true
            ? [] : ["its cable does not lead from one host to another"]
        let hosts = (gateways + (routes ?? []).map(\.gateway))
            .filter { NetworkAddress($0) == nil }
            .map { "\"\($0.prefix(60))\" is no address" }
        return names + hardware + networks + hosts + cables + crowds
            + (Self.mtus.contains(mtu) ? [] : ["an MTU of \(mtu) is not within \(Self.mtus)"])
    }

    private var crowds: [String] {
        let counts = [
            ("addresses", addresses.count), ("gateways", gateways.count),
            ("routes", routes?.count ?? 0),
        ]
        return counts.filter { $0.1 > Limit.addressesPerInterface }
            .map { "\($0.1) \($0.0) are more than \(Limit.addressesPerInterface)" }
    }

    /// The least that IPv4 allows, and the most that a frame can hold.
    package static let mtus: ClosedRange<UInt32> = 68...65_521

    /// IFNAMSIZ is 16, with the byte that ends it.
    private static func isName(_ text: String) -> Bool {
        (1...15).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x2f && $0 != 0x3a }
            && !text.hasPrefix("-")
    }

    private static func isHardwareAddress(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { $0.utf8.count == 2 ? UInt8($0, radix: 16) : nil }
        // An odd first byte is a group's address.
        return parts.count == 6 && bytes.count == 6 && bytes[0] & 1 == 0
            && bytes.contains { $0 != 0 }
    }
}
