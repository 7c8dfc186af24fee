/// What names a blob: the SHA-256 of its content.
package struct BlobDigest: CheckedText {
    /// 64 digits in lower case.
    package let hexadecimal: String

    /// As OCI writes it.
    package var description: String { "sha256:" + hexadecimal }
    /// What lists show.
    package var short: String { String(hexadecimal.prefix(12)) }

    /// - Parameter text: with `sha256:` before it.
    /// - Throws: `badRequest`.
    package init(_ text: String) throws(GodwitError) {
        guard text.hasPrefix("sha256:"), text.utf8.count == 7 + 64,
            text.utf8.dropFirst(7).allSatisfy(isHexadecimal)
        else {
            throw GodwitError(
                .badRequest, "\"\(text.prefix(80))\" is not a digest of SHA-256",
                remedy: "see that it is sha256: and 64 hexadecimal digits in lower case")
        }
        hexadecimal = String(text.dropFirst(7))
    }
}

private func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
}

/// How an image of the host is called: one of its aliases, or the beginning of its digest.
///
/// One to 64 ASCII letters, digits, dots, underlines and dashes, a letter or digit first: never a
/// path.
package struct ImageName: CheckedText, Comparable {
    package let text: String
    package var description: String { text }

    /// - Parameter text: `sha256:` before a digest is left out.
    /// - Throws: `badRequest`.
    package init(_ text: String) throws(GodwitError) {
        let rest = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        let bytes = Array(rest.utf8)
        guard let first = bytes.first, isWord(first), bytes.count <= 64,
            bytes.allSatisfy({ isWord($0) || [0x2d, 0x2e, 0x5f].contains($0) })
        else {
            throw GodwitError(
                .badRequest, "the image name \"\(text.prefix(80))\" is not usable",
                remedy: "use 1 to 64 letters, digits, dots, underlines and dashes, "
                    + "a letter or digit first")
        }
        self.text = rest
    }

    package static func < (left: ImageName, right: ImageName) -> Bool { left.text < right.text }

    /// Whether the digest begins so; fewer than four digits say too little.
    package func begins(_ digest: BlobDigest) -> Bool {
        text.utf8.count >= 4 && digest.hexadecimal.hasPrefix(text)
    }
}

private func isWord(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte) || (0x41...0x5a).contains(byte)
}

/// A file of the store, as those name it that need it.
package struct ImageBlob: Codable, Hashable, Sendable {
    package var digest: BlobDigest
    package var size: ByteCount

    package init(digest: BlobDigest, size: ByteCount) {
        self.digest = digest
        self.size = size
    }
}

/// One of the archives that an image's root filesystem is unpacked from, one over the other.
package struct ImageLayer: Codable, Hashable, Sendable {
    package enum Compression: String, Codable, Sendable { case none, gzip, zstd }

    package var blob: ImageBlob
    /// Of the archive without its compression: what tells equal layers of other images.
    package var contentDigest: BlobDigest
    package var compression: Compression

    package init(blob: ImageBlob, contentDigest: BlobDigest, compression: Compression) {
        self.blob = blob
        self.contentDigest = contentDigest
        self.compression = compression
    }
}

/// An image that is whole in the store.
package struct StoredImage: Codable, Equatable, Sendable {
    /// What it was made of.
    package enum Origin: String, Codable, Sendable { case directory, archive, layout }

    /// Its manifest; the manifest's digest is the image's.
    package var manifest: ImageBlob
    package var config: ImageBlob
    /// The lowest first.
    package var layers: [ImageLayer]
    /// In OCI's words, such as `amd64`.
    package var architecture: String
    /// When it was built, where it says so.
    package var created: Timestamp?
    package var origin: Origin
    package var defaults: ImageDefaults

    package var digest: BlobDigest { manifest.digest }
    package var blobs: [ImageBlob] { [manifest, config] + layers.map(\.blob) }
    /// What it occupies, alone.
    package var size: ByteCount { Set(blobs).reduce(.zero) { $0 + $1.size } }

    package init(
        manifest: ImageBlob, config: ImageBlob, layers: [ImageLayer], architecture: String,
        created: Timestamp?, origin: Origin, defaults: ImageDefaults
    ) {
        self.manifest = manifest
        self.config = config
        self.layers = layers
        self.architecture = architecture
        self.created = created
        self.origin = origin
        self.defaults = defaults
    }
}

/// Which image an instance was launched from; it may be gone since.
package struct InstanceImage: Codable, Hashable, Sendable {
    package var digest: BlobDigest
    /// As it was asked for.
    package var name: ImageName

    package init(digest: BlobDigest, name: ImageName) {
        self.digest = digest
        self.name = name
    }
}

/// An image as `godwit image list` and `info` show it.
package struct ImageView: Codable, Equatable, Sendable {
    package var image: StoredImage
    /// Sorted.
    package var aliases: [ImageName]
    package var imported: Timestamp
    /// Those of this host that were launched from it.
    package var instances: [InstanceName]

    package init(
        image: StoredImage, aliases: [ImageName], imported: Timestamp,
        instances: [InstanceName] = []
    ) {
        self.image = image
        self.aliases = aliases
        self.imported = imported
        self.instances = instances
    }
}

/// What is to become an image.
package struct ImageImport: Codable, Equatable, Sendable {
    /// Of a directory, a tar archive or an OCI image layout on the daemon's host.
    package var path: String
    /// Which image of a layout that holds several.
    package var tag: String?
    package var alias: ImageName?

    package init(path: String, tag: String? = nil, alias: ImageName? = nil) {
        self.path = path
        self.tag = tag
        self.alias = alias
    }
}

/// Keeps the blobs of images, each once. What is an image, the engine remembers.
package protocol ImageStoring: Sendable {
    /// Takes what is at the path; whole and durable on return, and nothing but unused blobs
    /// after a failure.
    ///
    /// - Parameter tag: of an image layout that holds several images.
    /// - Throws: `badRequest` with what is wrong with it, `noSpace`, `limitExceeded`.
    func take(_ path: String, tag: String?) async throws -> StoredImage
    /// Fills an empty volume. Ownership arrives shifted by `idMap`.
    ///
    /// - Throws: `stateUnreadable` if a blob is missing or damaged, `noSpace`.
    func unpack(_ image: StoredImage, into root: String, idMap: IDMap?) async throws
    /// Lays one layer of an image over what a tree holds, which is all that lies below the layer,
    /// as the image says, whoever owns it.
    ///
    /// - Parameters:
    ///   - index: the lowest is 0.
    ///   - workshop: an empty directory's path, for what is needed meanwhile.
    /// - Throws: as `unpack`.
    func unpack(
        layer index: Int, of image: StoredImage, over tree: String, workshop: String
    ) async throws
    /// Writes an OCI image layout: a tar archive if the path ends in `.tar`, else a directory.
    ///
    /// - Throws: `nameTaken` if there is something already.
    func export(_ image: StoredImage, as name: String, to path: String) async throws
    /// The files of an image's layers, the lowest first.
    func layerPaths(of image: StoredImage) -> [String]
    /// Removes every blob but these. Nothing is being taken meanwhile.
    func sweep(keeping blobs: Set<BlobDigest>) throws
}
