/// The target's pool must hold the volumes and what they may grow by on the way.
struct DiskSpaceCheck: Check {
    let name = "disk-space"

    static let leastMargin = ByteCount.mebibytes(64)

    func findings(in comparison: Comparison) -> [Finding] {
        guard let pool = comparison.target.pool(comparison.definition.pool),
            !comparison.volumesTravel(by: .shared)
        else { return [] }
        let areLeft = comparison.options.dropsSnapshots == true
        let used = comparison.instance.volumes.reduce(ByteCount.zero) { sum, volume in
            sum + volume.used + (areLeft ? .zero : volume.usedBySnapshots ?? .zero)
        }
        let needed = used + Self.margin(for: used)
        guard pool.available < needed else { return [] }
        return [
            Finding(
                name,
                cause: "the pool \(pool.name.prefix(80)) of the target has "
                    + "\(sized(pool.available)) free; the volume needs \(sized(needed))",
                cure: "free space in the pool, or choose another target"
            )
        ]
    }

    /// A sixteenth: blocks round up differently on two filesystems, and the instance goes on
    /// writing.
    static func margin(for used: ByteCount) -> ByteCount {
        max(leastMargin, ByteCount(bytes: used.bytes / 16))
    }
}
