import Foundation
import LinuxHost
import MigrationCore

/// Makes the tree of an image, wherever its blobs are.
struct ImageUnpacker {
    /// Where a blob is.
    let path: (BlobDigest) -> String
    /// What it means if one is missing or damaged.
    let damage: (ImageBlob) -> GodwitError

    /// One layer is an archive like any other, and unpacked as such, with ACLs. Several are laid
    /// over one another by umoci, which heeds the marks of what they remove (`.wh.`).
    ///
    /// - Returns: the tree's root, below the workshop.
    func unpack(_ image: StoredImage, below workshop: String) async throws -> String {
        for layer in image.layers { try await verify(layer.blob) }
        guard image.layers.count == 1, let layer = image.layers.first else {
            return try await lay(image, below: workshop)
        }
        let tree = "\(workshop)/rootfs"
        try Directories.make(tree, mode: 0o755)
        let command = Tar.extract(layer: path(layer.blob.digest), into: tree)
        try await command.unpack("unpacked as a layer", "\(layer.blob.digest)")
        return tree
    }

    /// Lays one layer over what a tree holds: the lowest, which has nothing to remove, with ACLs.
    func lay(
        _ index: Int, of image: StoredImage, over tree: String, workshop: String
    ) async throws {
        let layer = image.layers[index]
        try await verify(layer.blob)
        guard index > 0 else {
            let command = Tar.extract(layer: path(layer.blob.digest), into: tree)
            return try await command.unpack("unpacked as a layer", "\(layer.blob.digest)")
        }
        let layout = "\(workshop)/layout"
        try await writeLayout(of: layer, in: image, at: layout)
        try await Umoci.lay(layout: layout, tag: "image", over: tree)
            .unpack("unpacked as a layer of an OCI image", "\(layer.blob.digest)")
    }

    /// As if it were the image's only one: umoci wants a configuration that says so.
    private func writeLayout(
        of layer: ImageLayer, in image: StoredImage, at layout: String
    ) async throws {
        let blobs = "\(layout)/blobs/sha256"
        try Directories.make(blobs, mode: 0o700)
        let bytes = try ImageDocuments.encode(
            ImageDocuments.Configuration(
                architecture: image.architecture, os: "linux",
                rootfs: ImageDocuments.RootFilesystem(
                    type: "layers", contents: [layer.contentDigest.description])))
        let config = ImageBlob(digest: .of(bytes), size: ByteCount(bytes: UInt64(bytes.count)))
        try SmallFile.replace("\(blobs)/\(config.digest.hexadecimal)", with: bytes)
        try writeManifest(config, layers: [try await place(layer, in: blobs)], at: layout)
    }

    private func lay(_ image: StoredImage, below workshop: String) async throws -> String {
        let layout = "\(workshop)/layout"
        try await writeLayout(of: image, at: layout)
        let bundle = "\(workshop)/bundle"
        let command = Umoci.unpack(layout: layout, tag: "image", bundle: bundle)
        try await command.unpack("unpacked as an OCI image", "\(image.digest)")
        return "\(bundle)/rootfs"
    }

    private func verify(_ blob: ImageBlob) async throws {
        let found = try? await ContentDigest.of(path(blob.digest))
        try Task.checkCancellation()
        guard found == blob else { throw damage(blob) }
    }

    /// A layout of links to the blobs, in the words that umoci knows: Docker's media types are
    /// OCI's there, and what zstd has compressed is plain.
    private func writeLayout(of image: StoredImage, at layout: String) async throws {
        let blobs = "\(layout)/blobs/sha256"
        try Directories.make(blobs, mode: 0o700)
        try link(image.config, in: blobs)
        var layers: [ImageDocuments.Descriptor] = []
        for layer in image.layers {
            layers.append(try await place(layer, in: blobs))
        }
        try writeManifest(image.config, layers: layers, at: layout)
    }

    private func writeManifest(
        _ config: ImageBlob, layers: [ImageDocuments.Descriptor], at layout: String
    ) throws {
        let blobs = "\(layout)/blobs/sha256"
        let manifest = try ImageDocuments.encode(
            ImageDocuments.Document(
                schemaVersion: 2, mediaType: ImageDocuments.manifestType,
                config: ImageDocuments.Descriptor(config, ImageDocuments.configurationType),
                layers: layers))
        let blob = ImageBlob(
            digest: .of(manifest), size: ByteCount(bytes: UInt64(manifest.count)))
        try SmallFile.replace("\(blobs)/\(blob.digest.hexadecimal)", with: manifest)
        try ImageDocuments.writeFrame(of: blob, tag: "image", at: layout)
    }

    private func place(
        _ layer: ImageLayer, in blobs: String
    ) async throws -> ImageDocuments.Descriptor {
        guard layer.compression == .zstd else {
            try link(layer.blob, in: blobs)
            return ImageDocuments.Descriptor(layer.blob, layer.mediaType)
        }
        var plain = layer
        plain.compression = .none
        let draft = try BlobDraft(at: "\(blobs)/\(layer.contentDigest.hexadecimal)")
        let command = Zstd.decompress(path(layer.blob.digest))
        do { try await command.pour { try draft.write($0) } } catch {
            throw explained(error, "unpacked as a layer", "\(layer.blob.digest)")
        }
        plain.blob = draft.blob
        guard plain.blob.digest == layer.contentDigest else { throw damage(layer.blob) }
        return ImageDocuments.Descriptor(plain.blob, plain.mediaType)
    }

    private func link(_ blob: ImageBlob, in blobs: String) throws {
        try Directories.link(path(blob.digest), at: "\(blobs)/\(blob.digest.hexadecimal)")
    }
}

extension ImageDocuments.Descriptor {
    init(_ blob: ImageBlob, _ mediaType: String) {
        self.init(mediaType: mediaType, digest: blob.digest.description, size: blob.size.bytes)
    }
}

extension ImageDocuments {
    /// Writes what makes a directory of blobs a layout: its mark, and an index of one image.
    static func writeFrame(of manifest: ImageBlob, tag: String, at layout: String) throws {
        var descriptor = Descriptor(manifest, manifestType)
        descriptor.annotations = [tagName: tag]
        let index = Document(schemaVersion: 2, manifests: [descriptor])
        try SmallFile.replace("\(layout)/index.json", with: try encode(index), mode: 0o644)
        try SmallFile.replace("\(layout)/oci-layout", with: layoutMark, mode: 0o644)
    }
}

extension Command {
    /// Runs a tool that makes a tree.
    func unpack(_ done: String, _ what: String) async throws {
        let result = try await run()
        guard !result.status.isSuccess else { return }
        throw explained(failure(of: result), done, what, said: result.errorText)
    }
}

/// What a tool's failure over something that an operator has given means.
func explained(
    _ error: any Error, _ done: String, _ what: String, said: String? = nil
) -> any Error {
    guard let failure = error as? GodwitError, failure.code == .toolFailed else { return error }
    let said = said ?? failure.cause ?? ""
    let isFull = ["No space left on device", "Disk quota exceeded"].contains { said.contains($0) }
    guard isFull else {
        return GodwitError(
            .badRequest, "\(what) could not be \(done)",
            remedy: "see that it is whole and readable: a directory, a tar archive (plain or "
                + "compressed by gzip, xz or zstd) or an OCI image layout",
            cause: failure.cause)
    }
    return GodwitError(
        .noSpace, "there is not enough space for \(what)",
        remedy: "free space there, or choose another pool", cause: failure.cause)
}
