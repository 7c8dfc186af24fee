import MigrationCore

/// An image in the shape of LXD and Incus, with ours (`godwit`) beside it.
struct ImageShape: Codable, Equatable, Sendable {
    /// The digest of its manifest, without `sha256:`.
    var fingerprint: String
    var aliases: [Alias]
    /// The kernel's word, as Incus has it.
    var architecture: String
    /// In bytes.
    var size: UInt64
    var createdAt: String
    var uploadedAt: String
    var type = "container"
    var `public` = false
    var cached = false
    var properties: [String: String]
    /// Everything that Godwit knows, without loss.
    var godwit: ImageView

    struct Alias: Codable, Equatable, Sendable {
        var name: ImageName
        var description: String?
    }

    enum CodingKeys: String, CodingKey {
        case fingerprint, aliases, architecture, size
        case createdAt = "created_at"
        case uploadedAt = "uploaded_at"
        case type, `public`, cached, properties, godwit
    }

    @inline(never)
    init(_ view: ImageView) {
        let image = view.image
        fingerprint = image.digest.hexadecimal
        aliases = view.aliases.map { Alias(name: $0, description: "") }
        architecture = kernelWord(image.architecture)
        size = image.size.bytes
        createdAt = rfc3339(image.created ?? view.imported)
        uploadedAt = rfc3339(view.imported)
        properties = ["os": "linux", "origin": image.origin.rawValue]
        godwit = view
    }
}

/// OCI has Go's words for processors, Incus the kernel's.
private func kernelWord(_ architecture: String) -> String {
    switch architecture {
    case "amd64": "x86_64"
    case "arm64": "aarch64"
    default: architecture
    }
}

/// `POST /1.0/images`.
struct ImagesPost: Codable, Sendable {
    var source: Source
    /// One, or none.
    var aliases: [ImageShape.Alias]?

    struct Source: Codable, Sendable {
        /// A directory, a tar archive or an OCI image layout on the daemon's host.
        var path: String
        /// Of a layout that holds several images.
        var tag: String?
    }

    func request() throws -> ImageImport {
        guard aliases?.count ?? 0 <= 1 else {
            throw GodwitError(
                .badRequest, "an import gives one alias at most",
                remedy: "import the same again with another alias: nothing is stored twice")
        }
        return ImageImport(path: source.path, tag: source.tag, alias: aliases?.first?.name)
    }

    init(_ request: ImageImport) {
        source = Source(path: request.path, tag: request.tag)
        aliases = request.alias.map { [ImageShape.Alias(name: $0)] }
    }
}

/// `POST /1.0/images/NAME/export`.
struct ImageExportPost: Codable, Sendable {
    /// A tar archive if it ends in `.tar`, else a directory, on the daemon's host.
    var path: String
}
