import MigrationCore
import Synchronization

/// Blobs that are only names: every image has a manifest and a layer of its own, and one that all
/// share.
final class FakeImages: ImageStoring {
    let pool: FakePool
    let faults = Faults()
    let blobs = Mutex<Set<BlobDigest>>([])

    init(pool: FakePool) { self.pool = pool }

    /// A digest that begins with what the text is spelled with.
    static func digest(_ text: String) throws -> BlobDigest {
        let digits = text.utf8.map { String($0, radix: 16) }.joined()
        return try BlobDigest(
            "sha256:" + digits.prefix(64) + String(repeating: "0", count: max(0, 64 - digits.count))
        )
    }

    func image(_ path: String) throws -> StoredImage {
        let blobs = try [path + "m", path + "c", path + "l", "base"].map {
            ImageBlob(digest: try Self.digest($0), size: .kibibytes(1))
        }
        return StoredImage(
            manifest: blobs[0], config: blobs[1],
            layers: [blobs[3], blobs[2]].map {
                ImageLayer(blob: $0, contentDigest: $0.digest, compression: .none)
            },
            architecture: "amd64", created: nil, origin: .archive,
            defaults: ImageDefaults(command: ["/image"], user: "7:8"))
    }

    func take(_ path: String, tag: String?) async throws -> StoredImage {
        let image = try image(path)
        blobs.withLock { $0.formUnion(image.blobs.map(\.digest)) }
        try await faults.pass("take " + path)
        return image
    }

    func unpack(_ image: StoredImage, into root: String, idMap: IDMap?) async throws {
        try await faults.pass("unpack")
        let missing = blobs.withLock { blobs in
            image.blobs.filter { !blobs.contains($0.digest) }
        }
        guard missing.isEmpty else { throw GodwitError(.stateUnreadable, "blobs are missing") }
        pool.write("image \(image.digest)", to: String(root.dropFirst("/pool/".count)))
    }

    func unpack(
        layer index: Int, of image: StoredImage, over tree: String, workshop: String
    ) async throws {
        throw GodwitError(.internalFault, "no pool of this world shares layers")
    }

    func export(_ image: StoredImage, as name: String, to path: String) async throws {
        try await faults.pass("export \(name) \(path)")
    }

    func layerPaths(of image: StoredImage) -> [String] { image.layers.map { "\($0.blob.digest)" } }

    func sweep(keeping digests: Set<BlobDigest>) throws {
        blobs.withLock { $0.formIntersection(digests) }
    }
}
