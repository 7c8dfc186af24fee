/// The command line of ZFS on both hosts carries volumes between pools of that kind.
struct ZfsCheck: HostCheckable {
    let name = "zfs"

    func findings(in comparison: Comparison) -> [Finding] {
        comparison.volumesTravel(by: .zfs) ? findings(aboutBoth: comparison) : []
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard host.zfs == nil, host.pools.contains(where: { $0.driver == "zfs" }) else {
            return []
        }
        return [
            Finding(
                name,
                cause: "zfs is not installed on \(place.text), which has a zfs pool",
                cure: "install the package zfsutils-linux there"
            )
        ]
    }
}
