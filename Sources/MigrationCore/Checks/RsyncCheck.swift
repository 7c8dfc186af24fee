/// rsync on both hosts carries volumes that have no better way, with access lists and attributes.
struct RsyncCheck: HostCheckable {
    let name = "rsync"

    /// What `rsync --version` lists under its capabilities.
    static let needed: Set<String> = ["ACLs", "xattrs"]

    func findings(in comparison: Comparison) -> [Finding] {
        // Between lvm pools what comes after the freeze travels by it, between overlays all.
        [.rsync, .lvm, .overlay].contains(where: comparison.volumesTravel)
            ? findings(aboutBoth: comparison) : []
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        guard let rsync = host.rsync else {
            return [
                Finding(
                    name,
                    cause: "rsync is not installed on \(place.text)",
                    cure: "install the package rsync there"
                )
            ]
        }
        let missing = Self.needed.subtracting(rsync.features)
        guard !missing.isEmpty else { return [] }
        return [
            Finding(
                name,
                cause:
                    "rsync \(rsync.version) of \(place.text) is built without \(listed(missing))",
                cure: "install the distribution's rsync there"
            )
        ]
    }
}
