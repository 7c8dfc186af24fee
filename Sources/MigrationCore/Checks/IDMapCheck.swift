/// The host ids of an instance must be among those that the target may give away.
struct IDMapCheck: HostCheckable {
    let name = "id-map"

    func findings(in comparison: Comparison) -> [Finding] {
        guard let map = comparison.definition.idMap else { return [] }
        guard let range = comparison.target.idRange else { return [absent(.target, .refusal)] }
        guard !range.contains(map) else { return [] }
        return [
            Finding(
                name,
                cause:
                    "the instance's host ids \(map.text) are not within the target's \(range.text)",
                cure: "let the daemons of both hosts give away the same range of host ids"
            )
        ]
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        host.idRange == nil ? [absent(place, .warning)] : []
    }

    private func absent(_ place: Place, _ weight: Finding.Weight) -> Finding {
        Finding(
            name,
            weight,
            cause: "\(place.text) has no range of host ids for instances with a user namespace",
            cure: "let the daemon there give away a range of host ids"
        )
    }
}

extension IDMap {
    /// The first host id after the range; larger than any id can be for what a peer may say.
    private var end: UInt64 { UInt64(hostStart) + UInt64(count) }

    fileprivate func contains(_ other: IDMap) -> Bool {
        hostStart <= other.hostStart && other.end <= end
    }

    fileprivate var text: String { count == 0 ? "(none)" : "\(hostStart) to \(end - 1)" }
}
