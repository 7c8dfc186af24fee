/// Where nothing travels because both hosts see the same directory, they must really see the same:
/// the target has there what the source has just written.
struct SharedCheck: Check {
    let name = "shared"

    func findings(in comparison: Comparison) -> [Finding] {
        let shared = comparison.instance.volumes.filter { comparison.method(of: $0) == .shared }
        let named = shared.filter { $0.name != comparison.definition.name.text }
        return named.map(fixed)
            + (named.count < shared.count ? unseen(comparison) + unable(comparison) : [])
    }

    /// Only root volumes change hands.
    private func fixed(_ volume: VolumeFacts) -> Finding {
        Finding(
            name, cause: "the volume \(volume.name.prefix(160)) is in a pool that both hosts share",
            cure: "mount a directory of that filesystem in its place, which needs not travel, or "
                + "keep the volume in a pool of another kind")
    }

    private func unseen(_ comparison: Comparison) -> [Finding] {
        let pool = comparison.definition.pool
        let written = comparison.source.pool(pool)?.token
        guard written == nil || comparison.target.pool(pool)?.token != written else { return [] }
        return [
            Finding(
                name,
                cause: "the pool \(pool.prefix(80)) of the target is not the source's: what the "
                    + "source has just written to it is not there",
                cure: "mount the same filesystem at the sources of both pools, or use pools of "
                    + "another kind, whose files travel")
        ]
    }

    /// The volume has one name and one owner.
    private func unable(_ comparison: Comparison) -> [Finding] {
        var wishes: [(String, String)] = []
        if comparison.options.keepsDefinition {
            wishes.append(("be kept on the source as well", "--keep-definition"))
        }
        if comparison.newName != comparison.definition.name {
            wishes.append(("get another name on the way", "--rename"))
        }
        return wishes.map { wish, option in
            Finding(
                name, cause: "a volume that both hosts share cannot \(wish)",
                cure: "leave \(option) out; copy or rename the instance before or afterwards")
        }
    }
}
