import LinuxHost
package import MigrationCore

/// Fills a volume from a directory, a tar archive or an OCI image layout.
package struct RootImporter: RootImporting {
    package init() {}

    /// - Throws: `badRequest` if there is nothing to import at the path, with the cause and the
    ///   cure,
    ///   `noSpace`, `toolMissing`.
    package func importRoot(
        from path: String, into root: String, idMap: IDMap?
    ) async throws -> ImageDefaults {
        let image = try RootImage(at: path)
        try await EmptyRoot(path: root, idMap: idMap).fill { workshop in
            try await image.unpack(below: workshop, besides: root)
        }
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

    package func own(_ root: String, by idMap: IDMap?) async throws {
        try Directories.setOwner(idMap?.hostStart ?? 0, of: root)
    }
}

/// A volume that is to be filled.
///
/// All is unpacked beside the volume, where only root can pass, given to the instance's ids, and
/// put in the volume's place while nobody can come to it: nobody sees half of it, and no
/// set-user-id file of the image lies open.
struct EmptyRoot {
    let path: String
    let idMap: IDMap?

    /// - Parameter unpack: makes the tree below the directory that it is given, and returns the
    ///   tree's root.
    func fill(_ unpack: (String) async throws -> String) async throws {
        let shift = try idMap.map(IDShift.init)
        let place = RootPlace(root: path)
        try await place.recover()
        guard try Directories.names(in: path).isEmpty else {
            throw GodwitError(
                .nameTaken, "the volume at \(path) is not empty",
                remedy: "delete the volume, or choose another name")
        }
        let workshop = Directories.parent(of: path) + "/.importing"
        try await Rm.tree(workshop).check()
        try Directories.make(workshop, mode: 0o700)
        do {
            let tree = try await unpack(workshop)
            try requireContent(tree)
            try await shift?.apply(to: tree)
            try Task.checkCancellation()
            try await place.take(tree)
        } catch {
            _ = try? await Rm.tree(workshop).check()
            throw error
        }
        try await Rm.tree(workshop).check()
    }

    private func requireContent(_ tree: String) throws {
        guard try FileStatus.of(tree)?.kind == .directory else {
            throw GodwitError(
                .badRequest, "the image holds something else than a directory at its root",
                remedy: "make the archive with `tar -C ROOT -c .`")
        }
        guard try !Directories.names(in: tree).isEmpty else {
            throw GodwitError(
                .badRequest, "the image is empty",
                remedy: "see that the path is the right one")
        }
    }
}
