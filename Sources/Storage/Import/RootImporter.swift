import LinuxHost
package import MigrationCore

/// Fills a volume from a directory, a tar archive or an OCI image layout.
///
/// All is unpacked where only root can pass, and given to the instance's ids, before anyone else
/// can come to it: nobody sees half of it, and no set-user-id file of the image lies open.
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
        let place = try ImportPlace(for: root)
        try await place.prepare()
        guard try Directories.names(in: root).isEmpty else {
            throw GodwitError(
                .nameTaken, "the volume at \(root) is not empty",
                remedy: "delete the volume, or choose another name")
        }
        do {
            try place.begin()
            try await image.unpack(into: place)
            try await shift?.apply(to: place.tree)
            try Task.checkCancellation()
            try await place.finish()
        } catch {
            try? await place.abandon()
            throw error
        }
        return image.defaults
    }
}
