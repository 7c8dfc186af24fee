import LinuxHost
import MigrationCore
import Synchronization

/// Archives of root filesystems become images of one layer.
extension ImageStore {
    /// Whether an archive is an image layout, and not a root filesystem's.
    ///
    /// - Parameter name: what errors call it.
    /// - Throws: `badRequest` if it is no archive, `limitExceeded`.
    func holdsLayout(_ archive: String, named name: String) async throws -> Bool {
        let members = Mutex(ArchiveMembers())
        do {
            try await Tar.list(archive).pour { bytes in
                try members.withLock { try $0.take(bytes) }
            }
        } catch { throw explained(error, "read as a tar archive", name) }
        return members.withLock { $0.isLayout }
    }

    /// - Parameter draft: the archive, plain or compressed.
    func image(
        of draft: BlobDraft, named name: String, from origin: StoredImage.Origin, in place: String
    ) async throws -> StoredImage {
        let layer: ImageLayer
        do { layer = try await self.layer(of: draft, in: place) } catch {
            throw explained(error, "read as a tar archive", name)
        }
        let configuration = ImageDocuments.Configuration(
            architecture: hostArchitecture, os: "linux",
            rootfs: .init(type: "layers", contents: [layer.contentDigest.description]),
            history: [.init(createdBy: "godwit image import")])
        let config = try blobs.keep(try ImageDocuments.encode(configuration), in: place)
        let manifest = ImageDocuments.Document(
            schemaVersion: 2, mediaType: ImageDocuments.manifestType,
            config: ImageDocuments.Descriptor(config, ImageDocuments.configurationType),
            layers: [ImageDocuments.Descriptor(layer.blob, layer.mediaType)])
        return StoredImage(
            manifest: try blobs.keep(try ImageDocuments.encode(manifest), in: place),
            config: config, layers: [layer], architecture: hostArchitecture, created: nil,
            origin: origin, defaults: ImageDefaults())
    }

    /// gzip and zstd stay, which manifests can tell of; what else has compressed it goes.
    private func layer(of draft: BlobDraft, in place: String) async throws -> ImageLayer {
        switch try Compression.of(draft.path) {
        case .none:
            let blob = try blobs.keep(draft)
            return ImageLayer(blob: blob, contentDigest: blob.digest, compression: .none)
        case .gzip:
            let content = try await ContentDigest.of(Gzip.decompress(draft.path)).digest
            return ImageLayer(
                blob: try blobs.keep(draft), contentDigest: content, compression: .gzip)
        case .zstd:
            let content = try await ContentDigest.of(Zstd.decompress(draft.path)).digest
            return ImageLayer(
                blob: try blobs.keep(draft), contentDigest: content, compression: .zstd)
        case .xz:
            let plain = try BlobDraft(at: "\(place)/plain")
            try await Xz.decompress(draft.path).pour { try plain.write($0) }
            let blob = try blobs.keep(plain)
            return ImageLayer(blob: blob, contentDigest: blob.digest, compression: .none)
        }
    }
}

/// What the names in an archive tell.
private struct ArchiveMembers: Sendable {
    private(set) var isLayout = false
    private var lines = ByteLines()
    private var count = 0

    /// - Throws: `limitExceeded`.
    mutating func take(_ bytes: [UInt8]) throws {
        var (isLayout, count) = (isLayout, count)
        lines.take(bytes) { line in
            count += 1
            if line == Self.mark || line == Self.markBelow { isLayout = true }
        }
        (self.isLayout, self.count) = (isLayout, count)
        guard count <= Limit.archiveMembers else {
            throw GodwitError(
                .limitExceeded, "the archive has more than \(Limit.archiveMembers) members")
        }
    }

    private static let mark = Array("oci-layout".utf8)
    private static let markBelow = Array("./oci-layout".utf8)
}
