import MigrationCore

/// Where on the host the files are that an instance sees, of those that travel with it.
struct MountedPlaces {
    /// Nil for what does not travel: the host's own paths, and the kernel's filesystems.
    private let places: [(inside: String, host: String?)]
    private let root: String

    /// - Parameter definition: with the places of its volumes.
    init(_ definition: InstanceDefinition, root: String) {
        self.root = root
        let kernel = OCISpecification.Mount.ofKernel.map { ($0.destination, String?.none) }
        let own = definition.mounts.map { ($0.path, $0.volume == nil ? nil : $0.hostPath) }
        places = (kernel + own).map { (inside: $0, host: $1) }
    }

    /// - Returns: nil for a file that is elsewhere.
    func place(of path: String) -> String? {
        let above = places.filter { path == $0.inside || path.hasPrefix($0.inside + "/") }
        guard let mount = above.max(by: { $0.inside.utf8.count < $1.inside.utf8.count }) else {
            return root + path
        }
        return mount.host.map { $0 + path.dropFirst(mount.inside.utf8.count) }
    }
}
