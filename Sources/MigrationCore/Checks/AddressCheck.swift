/// An address belongs to one machine of a network.
struct AddressCheck: Check {
    let name = "addresses"

    func findings(in comparison: Comparison) -> [Finding] {
        let used = Set(comparison.target.addressesInUse.map(normal))
        let wanted = comparison.definition.interfaces.flatMap(\.addresses)
        return Set(wanted.map(normal)).intersection(used).sorted().map { address in
            Finding(
                name,
                cause: "the address \(address.prefix(60)) is in use on the target",
                cure: "free the address there, or give the instance another one before the move"
            )
        }
    }

    /// One spelling for each address; what is no address stands for itself.
    private func normal(_ text: String) -> String {
        let bare = text.prefix { $0 != "/" }
        return NetworkAddress(bare)?.description ?? String(bare)
    }
}
