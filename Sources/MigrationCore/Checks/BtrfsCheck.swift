/// btrfs-progs on both hosts carry volumes between pools of that kind.
struct BtrfsCheck: HostCheckable {
    let name = "btrfs"

    func findings(in comparison: Comparison) -> [Finding] {
        comparison.volumesTravel(by: .btrfs) ? findings(aboutBoth: comparison) : []
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard host.btrfs == nil, host.pools.contains(where: { $0.driver == "btrfs" }) else {
            return []
        }
        return [
            Finding(
                name,
                cause: "btrfs-progs are not installed on \(place.text), which has a btrfs pool",
                cure: "install the package btrfs-progs there"
            )
        ]
    }
}

extension Comparison {
    /// Whether a volume will travel so.
    func volumesTravel(by method: VolumeMethod) -> Bool {
        instance.volumes.contains { self.method(of: $0) == method }
    }

    /// The best that the target's pool has as well.
    func method(of volume: VolumeFacts) -> VolumeMethod? {
        let pool = target.pool(definition.pool(ofVolume: volume.name))
        return volume.methods.first { $0 == .rsync || $0.rawValue == pool?.driver }
    }
}
