/// A named volume travels with the one instance that has it, to where no other has its name.
struct NamedVolumeCheck: Check {
    let name = "named-volumes"

    func findings(in comparison: Comparison) -> [Finding] {
        comparison.options.movingVolumes(of: comparison.definition)
            .prefix(Limit.volumesPerInstance).flatMap { volume in
                taken(volume, comparison) + used(volume, comparison)
            }
    }

    private func taken(_ volume: VolumeReference, _ comparison: Comparison) -> [Finding] {
        guard comparison.target.namedVolumes?.contains(volume) == true else { return [] }
        return [
            Finding(
                name,
                cause: "the target has a volume \(volume) already",
                cure: "delete that one, or detach this one before the instance moves")
        ]
    }

    private func used(_ volume: VolumeReference, _ comparison: Comparison) -> [Finding] {
        let facts = comparison.instance.volumes.first { $0.name == volume.key }
        guard let users = facts?.users, !users.isEmpty else { return [] }
        let names = users.prefix(4).map(\.text).joined(separator: ", ")
        return [
            Finding(
                name,
                cause: "the volume \(volume) would leave with this instance, and is attached to "
                    + "\(names) as well",
                cure: "detach it from the others (godwit volume detach)")
        ]
    }
}
