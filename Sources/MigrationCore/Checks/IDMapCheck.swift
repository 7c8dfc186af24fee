/// The target must have as many host ids to give away as the instance has.
struct IDMapCheck: HostCheckable {
    let name = "id-map"

    func findings(in comparison: Comparison) -> [Finding] {
        guard let map = comparison.definition.idMap else { return [] }
        guard let range = comparison.target.idRange else { return [absent(.target, .refusal)] }
        guard let place = range.place(for: map) else { return [tooFew(range, for: map)] }
        let left = comparison.definition.mounts.filter {
            $0.volume == nil && comparison.options.treatment(of: $0) != .skip
        }
        return place == map ? [] : strange(left, map, place)
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

    private func tooFew(_ range: IDMap, for map: IDMap) -> Finding {
        Finding(
            name,
            cause:
                "the instance has the host ids \(map.text), and the target can give away "
                + "\(range.text)",
            cure: "let the daemon there give away as many: --id-range START:COUNT"
        )
    }

    /// Host paths do not travel, so that nobody changes whose the files in them are.
    private func strange(_ mounts: [MountDefinition], _ map: IDMap, _ place: IDMap) -> [Finding] {
        guard let mount = mounts.first else { return [] }
        return [
            Finding(
                name, .warning,
                cause:
                    "the instance's host ids \(map.text) become \(place.text), while files below "
                    + "\(mount.hostPath.prefix(200)) keep their owners",
                cure:
                    "give the files there to the new ids, or let the daemons of both hosts give "
                    + "away the same range"
            )
        ]
    }
}
