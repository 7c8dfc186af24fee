import LinuxHost
import MigrationCore

/// Makes, opens and removes overlay pools.
struct OverlayMaker: Sendable {
    let definition: PoolDefinition
    /// The pool's directory.
    let path: String

    /// - Throws: `badRequest` if the source is no directory, or its filesystem can hold no changes.
    func create() async throws -> PoolDefinition {
        let made = try DirectoryPool.create(definition, at: path)
        let shelf = LayerShelf(directory: "\(path)/layers")
        try shelf.prepare()
        try await probe(shelf)
        return made
    }

    /// Mounts what is not mounted: after a restart of the host nothing is.
    func open() async throws -> OverlayPool {
        _ = try DirectoryPool.open(definition, at: path)
        let pool = OverlayPool(name: definition.name, path: path)
        try pool.shelf.prepare()
        try await pool.removeAllLeftovers()
        for volume in try Directories.names(in: pool.layout.volumes) where pool.layout.has(volume) {
            // One that cannot be read is still there to be deleted, and keeps no other from being
            // used.
            try? await pool.mountAll(of: volume)
        }
        return pool
    }

    /// - Throws: `busy` if volumes are in it.
    func destroy() async throws {
        guard try Directories.names(in: "\(path)/volumes").isEmpty else {
            return try DirectoryPool.destroy(at: path, isOurs: false)
        }
        try await MountedFilesystem.detachAll(below: "\(path)/layers")
        try await Rm.tree("\(path)/layers").check()
        try DirectoryPool.destroy(at: path, isOurs: definition.source == nil)
    }

    /// Mounts and writes, as a volume does: the kernel takes other filesystems below that it cannot
    /// mark removals on.
    private func probe(_ shelf: LayerShelf) async throws {
        let draft = try shelf.makeDraft()
        do {
            let (below, point) = ("\(draft)/below", "\(draft)/point")
            for directory in ["\(below)/hidden", "\(draft)/work", point] {
                try Directories.make(directory, mode: 0o700)
            }
            try await Mount.overlay(
                ["below"], upper: ("tree", "work"), at: point, in: draft
            ).check()
            try Directories.removeEmpty("\(point)/hidden")
            try Directories.make("\(point)/hidden", mode: 0o700)
            try await shelf.remove(draft: draft)
        } catch {
            try? await shelf.remove(draft: draft)
            let filesystem = try FilesystemFacts.of(path).type
            throw GodwitError(
                .badRequest, "the \(filesystem) at \(path) cannot hold the changes of an overlay",
                remedy: "name a directory on ext4, xfs or btrfs, and see that the kernel has "
                    + "overlayfs (modprobe overlay)",
                cause: (error as? GodwitError)?.cause ?? "\(error)")
        }
    }
}
