import LinuxHost
import MigrationCore

/// Where a tree that was made beside a volume's root becomes that root.
///
/// It takes the root's place in one step; or, if the root is that of a subvolume or of a mount,
/// which no directory can take the place of, it is copied into it, while nobody can pass to it.
struct RootPlace: Sendable {
    let root: String
    private var parent: String { Directories.parent(of: root) }
    /// There while the root is being filled.
    private var mark: String { "\(parent)/.filling" }

    /// Empties a root that was being filled when this program ended.
    func recover() async throws {
        guard try FileStatus.of(mark) != nil else { return }
        for name in try Directories.names(in: root) {
            try await Rm.tree("\(root)/\(name)").check()
        }
        try open()
    }

    func take(_ tree: String) async throws {
        guard try FileStatus.of(root)?.key.device != FileStatus.of(tree)?.key.device else {
            return try Directories.replaceEmpty(root, by: tree)
        }
        try Directories.make(mark, mode: 0o700)
        try Directories.setMode(0o700, of: parent)
        do {
            try await fill(from: tree)
            try open()
        } catch {
            try? await recover()
            throw error
        }
    }

    private func fill(from tree: String) async throws {
        try await TreeCopy.copy(tree, to: root)
        // A thin volume has room as long as nothing is written out.
        try await FilesystemFacts.flush(at: root)
    }

    /// As a pool makes the place of a volume.
    private func open() throws {
        try Directories.removeEmpty(mark)
        try Directories.setMode(0o711, of: parent)
    }
}
