/// The kernel's own filesystems that every instance has mounted, and those that the source's
/// instances can have besides.
struct FilesystemCheck: HostCheckable {
    let name = "filesystems"

    static let always: Set<String> = ["proc", "sysfs", "tmpfs", "devpts"]
    static let wished: Set<String> = ["mqueue"]

    func findings(in comparison: Comparison) -> [Finding] {
        let wished = Self.wished.intersection(comparison.source.filesystems)
        return missing(Self.always.union(wished), in: comparison.target, .target)
    }

    func findings(about host: HostFacts, _ place: Place) -> [Finding] {
        missing(Self.always.union(Self.wished), in: host, place)
    }

    private func missing(
        _ types: Set<String>, in host: HostFacts, _ place: Place
    ) -> [Finding] {
        let missing = types.subtracting(host.filesystems)
        guard !missing.isEmpty else { return [] }
        return [
            Finding(
                name,
                cause: "the kernel of \(place.text) does not know \(listed(missing))",
                cure: "load the module there (modprobe), or boot a kernel that is built with it"
            )
        ]
    }
}
