extension TargetMachine {
    /// Why the two sides cannot understand each other; nil if they can.
    func incompatibility(of peer: Capabilities) -> Finding? {
        let newest = min(peer.newestVersion, capabilities.newestVersion)
        guard newest >= max(peer.oldestVersion, capabilities.oldestVersion) else {
            return Finding(
                "protocol",
                cause:
                    "the source speaks \(peer.oldestVersion) to \(peer.newestVersion), the "
                    + "target \(capabilities.oldestVersion) to \(capabilities.newestVersion)",
                cure: "bring the older of the two hosts up to date"
            )
        }
        let known = Set(capabilities.features.map(\.name))
        let missing = peer.features.filter { $0.isMandatory && !known.contains($0.name) }
        guard missing.isEmpty else {
            let names = missing.map(\.name).sorted().joined(separator: ", ")
            return Finding(
                "protocol",
                cause: "the target does not know the mandatory feature \(names)",
                cure: "bring the target up to date, or move without that feature"
            )
        }
        return nil
    }

    func agree(with offer: Offer, on plan: Plan) -> Acceptance? {
        guard incompatibility(of: offer.capabilities) == nil else { return nil }
        let known = Set(capabilities.features.map(\.name))
        return Acceptance(
            version: min(offer.capabilities.newestVersion, capabilities.newestVersion),
            features: offer.capabilities.features.map(\.name).filter(known.contains),
            plan: plan
        )
    }
}
