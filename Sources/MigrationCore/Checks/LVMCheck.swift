/// LVM on both hosts, and what reads the metadata of its thin pools, carry volumes between pools of
/// that kind.
struct LVMCheck: HostCheckable {
    let name = "lvm"

    func findings(in comparison: Comparison) -> [Finding] {
        comparison.volumesTravel(by: .lvm) ? findings(aboutBoth: comparison) : []
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard host.pools.contains(where: { $0.driver == "lvm" }) else { return [] }
        guard let lvm = host.lvm else { return [missing("lvm2", place)] }
        return lvm.features.contains(ToolFacts.thinDump)
            ? [] : [missing("thin-provisioning-tools", place)]
    }

    private func missing(_ package: String, _ place: Place) -> Finding {
        Finding(
            name,
            cause: "\(package) is not installed on \(place.text), which has an lvm pool",
            cure: "install the package \(package) there"
        )
    }
}
