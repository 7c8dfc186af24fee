/// The target's pool must hold the volumes and what they may grow by on the way. Copies that are
/// kept there make room for them.
package struct DiskSpaceCheck: Check {
    package let name = "disk-space"

    static let leastMargin = ByteCount.mebibytes(64)

    package func findings(in comparison: Comparison) -> [Finding] {
        comparison.poolsOfVolumes.compactMap { comparison.target.pool($0) }
            .flatMap { findings(about: $0, comparison) }
    }

    private func findings(about pool: PoolFacts, _ comparison: Comparison) -> [Finding] {
        var instance = comparison.instance
        instance.volumes.removeAll { comparison.method(of: $0) == .shared }
        let volumes = Self.volumes(in: pool.name, of: comparison.definition, instance)
        guard !volumes.isEmpty else { return [] }
        let needed = Self.room(for: volumes, comparison.options)
        guard pool.available + (pool.reclaimable ?? .zero) < needed else { return [] }
        return [
            Finding(
                name,
                cause: "the pool \(pool.name.prefix(80)) of the target has "
                    + "\(sized(pool.available)) free; the "
                    + (volumes.count == 1 ? "volume needs " : "volumes need ") + sized(needed),
                cure: "free space in the pool, or choose another target"
            )
        ]
    }

    /// What must be free in a pool of the target for all that comes into it.
    package static func room(
        in pool: String, for definition: InstanceDefinition, _ instance: InstanceFacts,
        _ options: MoveOptions
    ) -> ByteCount {
        room(for: volumes(in: pool, of: definition, instance), options)
    }

    private static func volumes(
        in pool: String, of definition: InstanceDefinition, _ instance: InstanceFacts
    ) -> [VolumeFacts] {
        instance.volumes.filter { definition.pool(ofVolume: $0.name) == pool }
    }

    private static func room(for volumes: [VolumeFacts], _ options: MoveOptions) -> ByteCount {
        let areLeft = options.dropsSnapshots == true
        let used = volumes.reduce(ByteCount.zero) { sum, volume in
            sum + volume.used + (areLeft ? .zero : volume.usedBySnapshots ?? .zero)
        }
        return used + margin(for: used)
    }

    /// A sixteenth: blocks round up differently on two filesystems, and the instance goes on
    /// writing.
    static func margin(for used: ByteCount) -> ByteCount {
        max(leastMargin, ByteCount(bytes: used.bytes / 16))
    }
}
