import MigrationCore

/// Where on the host the files are that an instance sees, of those that travel with it.
struct MountedPlaces {
    /// Nil for what does not travel: the host's own paths, and the kernel's filesystems.
    private let places: [(inside: String, value: String?)]
    private let root: String

    /// - Parameter definition: with the places of its volumes.
    init(_ definition: InstanceDefinition, root: String) {
        self.root = root
        let kernel = OCISpecification.Mount.ofKernel.map { ($0.destination, String?.none) }
        let own = definition.mounts.map { ($0.path, $0.volume == nil ? nil : $0.hostPath) }
        places = (kernel + own).map { (inside: $0, value: $1) }
    }

    /// - Returns: nil for a file that is elsewhere.
    func place(of path: String) -> String? {
        guard let (host, rest) = innermost(places, above: path) else { return root + path }
        return host.map { $0 + rest }
    }
}
