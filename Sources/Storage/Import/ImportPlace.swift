import LinuxHost
import MigrationCore

/// Where the tree of an image is made.
///
/// Beside the volume's root, whose place it then takes in one step; or, if the root is that of a
/// subvolume or a mount, which no directory can take the place of, in the root itself, to which the
/// way is closed meanwhile.
struct ImportPlace: Sendable {
    private let root: String
    private let workshop: String
    let isInRoot: Bool
    /// The root of what is made.
    let tree: String

    init(for root: String) throws {
        self.root = root
        let parent = Directories.parent(of: root)
        workshop = "\(parent)/.importing"
        isInRoot =
            try FileStatus.of(root)?.key.device != FileStatus.of(parent)?.key.device
        tree = isInRoot ? root : "\(workshop)/rootfs"
    }

    /// What only unpacking needs.
    var bundle: String { "\(workshop)/bundle" }
    /// The volume that must not be unpacked into itself.
    var volume: String { root }

    /// Removes what an import has left that did not end.
    func prepare() async throws {
        guard try FileStatus.of(workshop) != nil else { return }
        try await abandon()
    }

    func begin() throws {
        try Directories.make(workshop, mode: 0o700)
        if isInRoot {
            try Directories.setMode(0o700, of: Directories.parent(of: root))
        } else {
            try Directories.make(tree, mode: 0o755)
        }
    }

    func finish() async throws {
        if isInRoot {
            // First: with a workshop beside it the next import would take the tree for half of one.
            try await cleanUp()
            try open()
        } else {
            try Directories.replaceEmpty(root, by: tree)
            try await cleanUp()
        }
    }

    /// The volume is empty afterwards.
    func abandon() async throws {
        if isInRoot {
            for name in try Directories.names(in: root) {
                try await Rm.tree("\(root)/\(name)").check()
            }
            try open()
        }
        try await cleanUp()
    }

    private func cleanUp() async throws { try await Rm.tree(workshop).check() }

    /// As a pool makes the place of a volume.
    private func open() throws { try Directories.setMode(0o711, of: Directories.parent(of: root)) }
}
