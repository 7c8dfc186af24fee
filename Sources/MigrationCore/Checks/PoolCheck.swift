/// Each volume goes into the pool of the same name, on a filesystem that keeps owners and modes.
struct PoolCheck: HostCheckable {
    let name = "pool"

    static let ownerless: Set<String> = ["vfat", "msdos", "exfat", "ntfs", "ntfs3", "hfs"]
    static let readOnly: Set<String> = ["squashfs", "erofs", "iso9660", "udf"]
    static let volatile: Set<String> = ["tmpfs", "ramfs"]

    func findings(in comparison: Comparison) -> [Finding] {
        comparison.poolsOfVolumes.flatMap { findings(about: $0, comparison) }
    }

    private func findings(about wanted: String, _ comparison: Comparison) -> [Finding] {
        guard let pool = comparison.target.pool(wanted) else {
            return [
                Finding(
                    name,
                    cause: "the target has no pool \(wanted.prefix(80))",
                    cure: "make a pool of that name on the target"
                )
            ]
        }
        let wasVolatile = Self.volatile.contains(comparison.source.pool(wanted)?.filesystem ?? "")
        return unusable(pool, .target) + (wasVolatile ? [] : volatile(pool, .target))
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard !host.pools.isEmpty else {
            return [
                Finding(
                    name,
                    cause: "\(place.text) has no pool, so no instance can be made or received",
                    cure: "start the daemon with a state directory that it can write"
                )
            ]
        }
        return host.pools.prefix(16).flatMap { unusable($0, place) + volatile($0, place) }
    }

    private func unusable(_ pool: PoolFacts, _ place: Place) -> [Finding] {
        let isReadOnly = Self.readOnly.contains(pool.filesystem)
        guard isReadOnly || Self.ownerless.contains(pool.filesystem) else { return [] }
        return [
            Finding(
                name,
                cause: "the pool \(pool.name.prefix(80)) of \(place.text) is on "
                    + "\(pool.filesystem), which cannot "
                    + (isReadOnly ? "be written" : "keep owners"),
                cure: "put the pool on ext4, xfs or btrfs"
            )
        ]
    }

    private func volatile(_ pool: PoolFacts, _ place: Place) -> [Finding] {
        guard Self.volatile.contains(pool.filesystem) else { return [] }
        return [
            Finding(
                name,
                .warning,
                cause: "the pool \(pool.name.prefix(80)) of \(place.text) is held in memory "
                    + "(\(pool.filesystem)) and gone after a restart",
                cure: "put the pool on a disk if the instance is to outlive the host's restart"
            )
        ]
    }
}

extension Comparison {
    /// The root volume's first.
    var poolsOfVolumes: [String] {
        let named = options.movingVolumes(of: definition).map(\.pool)
        return [definition.pool] + Set(named).subtracting([definition.pool]).sorted()
    }
}
