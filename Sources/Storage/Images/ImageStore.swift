import Foundation
import LinuxHost
package import MigrationCore

/// The images of a host, below one directory: blobs as in an OCI image layout.
package struct ImageStore: ImageStoring {
    let blobs: BlobStore

    private init(_ directory: String) { blobs = BlobStore(directory: directory) }

    /// Makes the directory, or removes what the last daemon was taking in.
    package static func open(directory: String) async throws -> ImageStore {
        let store = ImageStore(directory)
        try await store.blobs.prepare()
        return store
    }

    package func take(_ path: String, tag: String?) async throws -> StoredImage {
        let given = try GivenPath(at: path)
        return try await blobs.withWorkshop { place in
            switch given {
            case .layout(let layout):
                return try await take(layout, tag.map(OCILayout.Choice.tag) ?? .only, in: place)
            case .archive(let archive):
                return try await take(archive: archive, tag: tag, in: place)
            case .directory(let tree):
                try refuse(tag, of: path)
                try GivenPath.refuse(blobs.directory, in: tree, "the images")
                return try await take(tree: tree, in: place)
            }
        }
    }

    package func unpack(_ image: StoredImage, into root: String, idMap: IDMap?) async throws {
        let unpacker = try unpacker(for: image)
        try await EmptyRoot(path: root, idMap: idMap).fill { workshop in
            try await unpacker.unpack(image, below: workshop)
        }
    }

    package func unpack(
        layer index: Int, of image: StoredImage, over tree: String, workshop: String
    ) async throws {
        try await unpacker(for: image).lay(index, of: image, over: tree, workshop: workshop)
    }

    /// - Throws: `badRequest` if nothing of the image could run here.
    private func unpacker(for image: StoredImage) throws -> ImageUnpacker {
        guard image.architecture == hostArchitecture else {
            throw GodwitError(
                .badRequest,
                "the image \(image.digest.short) is for \(image.architecture.prefix(80))",
                remedy: "import it for \(hostArchitecture)")
        }
        return ImageUnpacker(
            path: { blobs.path(of: $0) },
            damage: { damaged($0) })
    }

    package func layerPaths(of image: StoredImage) -> [String] {
        image.layers.map { blobs.path(of: $0.blob.digest) }
    }

    package func sweep(keeping digests: Set<BlobDigest>) throws {
        try blobs.sweep(keeping: digests)
    }

    func damaged(_ blob: ImageBlob) -> GodwitError {
        GodwitError(
            .stateUnreadable, "\(blobs.path(of: blob.digest)) is missing or damaged",
            remedy: "delete the image, and import it again")
    }

    private func refuse(_ tag: String?, of path: String) throws {
        guard let tag else { return }
        throw GodwitError(
            .badRequest, "\(path) is no image layout, so it has no tag \(tag.prefix(80))",
            remedy: "leave --tag out")
    }

    private func take(
        _ layout: OCILayout, _ choice: OCILayout.Choice, in place: String
    ) async throws -> StoredImage {
        let image = try layout.image(choice)
        for blob in Set(image.blobs) {
            try await blobs.take(layout.path(of: blob.digest), as: blob, in: place)
        }
        return image
    }

    /// The archive is copied first: what is read twice must not change in between.
    private func take(
        archive: String, tag: String?, in place: String
    ) async throws -> StoredImage {
        let draft = try BlobDraft(at: "\(place)/archive")
        try await draft.copy(archive)
        guard try await holdsLayout(draft.path, named: archive) else {
            try refuse(tag, of: archive)
            return try await image(of: draft, named: archive, from: .archive, in: place)
        }
        let layout = "\(place)/layout"
        try Directories.make(layout, mode: 0o700)
        try await Tar.extract(draft.path, into: layout).unpack("unpacked as a tar archive", archive)
        return try await take(
            OCILayout(path: layout), tag.map(OCILayout.Choice.tag) ?? .only, in: place)
    }

    private func take(tree: String, in place: String) async throws -> StoredImage {
        guard try !Directories.names(in: tree).isEmpty else {
            throw GodwitError(
                .badRequest, "the directory \(tree) is empty",
                remedy: "see that the path is the right one")
        }
        let draft = try BlobDraft(at: "\(place)/tree")
        do { try await Tar.create(tree).pour { try draft.write($0) } } catch {
            throw explained(error, "read as a whole", tree)
        }
        return try await image(of: draft, named: tree, from: .directory, in: place)
    }
}
