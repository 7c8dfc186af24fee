import LinuxHost
package import MigrationCore

/// Fills a volume from a directory, a tar archive or an OCI image layout.
///
/// All is unpacked beside the volume, where only root can pass, given to the instance's ids, and
/// put in the volume's place while nobody can come to it: nobody sees half of it, and no
/// set-user-id file of the image lies open.
package struct RootImporter: RootImporting {
    package init() {}

    /// - Throws: `badRequest` if there is nothing to import at the path, with the cause and the
    ///   cure,
    ///   `noSpace`, `toolMissing`.
    package func importRoot(
        from path: String, into root: String, idMap: IDMap?
    ) async throws -> ImageDefaults {
        let image = try RootImage(at: path)
        let shift = try idMap.map(IDShift.init)
        let place = RootPlace(root: root)
        try await place.recover()
        guard try Directories.names(in: root).isEmpty else {
            throw GodwitError(
                .nameTaken, "the volume at \(root) is not empty",
                remedy: "delete the volume, or choose another name")
        }
        let workshop = Directories.parent(of: root) + "/.importing"
        try await Rm.tree(workshop).check()
        try Directories.make(workshop, mode: 0o700)
        do {
            let tree = try await image.unpack(below: workshop, besides: root)
            try await shift?.apply(to: tree)
            try Task.checkCancellation()
            try await place.take(tree)
        } catch {
            _ = try? await Rm.tree(workshop).check()
            throw error
        }
        try await Rm.tree(workshop).check()
        return image.defaults
    }

    /// - Throws: `nameTaken` if the volume is not empty, `noSpace`.
    package func copyTree(from tree: String, into root: String) async throws {
        guard try Directories.names(in: root).isEmpty else {
            throw GodwitError(
                .nameTaken, "the volume at \(root) is not empty",
                remedy: "delete the volume, or choose another name")
        }
        try await TreeCopy.make(of: tree, at: root)
        try await FilesystemFacts.flush(at: root)
    }
}
