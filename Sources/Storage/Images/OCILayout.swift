import Foundation
import LinuxHost
package import MigrationCore

/// An OCI image layout in a directory.
package struct OCILayout: Sendable {
    package let path: String

    package init(path: String) { self.path = path }

    /// Which of its images is meant.
    package enum Choice: Equatable, Sendable {
        /// The first that has a tag, or the first.
        case first
        /// The one that it has.
        case only
        case tag(String)
    }

    /// Whether the directory is an image layout at all.
    static func isLayout(_ path: String) -> Bool {
        unsafe access(path + "/oci-layout", F_OK) == 0 && access(path + "/index.json", F_OK) == 0
    }

    func path(of digest: BlobDigest) -> String { "\(path)/blobs/sha256/\(digest.hexadecimal)" }

    /// Reads the manifest and the configuration of an image, for this host's processor where it is
    /// there for several. Its layers are only named.
    ///
    /// - Throws: `badRequest` with the file that is missing or not as the specification says,
    ///   `limitExceeded`.
    package func image(_ choice: Choice) throws -> StoredImage {
        let name = path + "/index.json"
        let index = try ImageDocuments.document(try Self.read(name), name)
        let chosen = try choose(choice, index.manifests ?? [])
        let (blob, found) = try manifest(of: chosen, in: name, depth: 1)
        let manifestName = path(of: blob.digest)
        guard let config = found.config else {
            throw GodwitError(
                .badRequest, "\(manifestName) is no image's manifest: it has no configuration",
                remedy: "copy the image again, as in `skopeo copy … oci:\(path):latest`")
        }
        return try described(blob, try config.blob(in: manifestName), found.layers ?? [])
    }

    private func described(
        _ manifest: ImageBlob, _ config: ImageBlob, _ layers: [ImageDocuments.Descriptor]
    ) throws -> StoredImage {
        let name = path(of: config.digest)
        let configuration = try ImageDocuments.configuration(try document(config), name)
        let system = configuration.os ?? "linux"
        let contents = configuration.rootfs.contents
        guard system == "linux", contents.count == layers.count, !layers.isEmpty else {
            throw GodwitError(
                .badRequest,
                "\(name) is for \(system.prefix(80)) and names \(contents.count) layers, "
                    + "where the manifest has \(layers.count)",
                remedy: "use an image for Linux that has layers")
        }
        let manifestName = path(of: manifest.digest)
        return StoredImage(
            manifest: manifest, config: config,
            layers: try zip(layers, contents).map { descriptor, content in
                ImageLayer(
                    blob: try descriptor.blob(in: manifestName),
                    contentDigest: try BlobDigest(content),
                    compression: try descriptor.compression(in: manifestName))
            },
            architecture: configuration.architecture ?? hostArchitecture,
            created: configuration.createdMoment, origin: .layout,
            defaults: configuration.defaults)
    }

    private func choose(
        _ choice: Choice, _ all: [ImageDocuments.Descriptor]
    ) throws -> [ImageDocuments.Descriptor] {
        let tags = Set(all.compactMap(\.tag)).sorted()
        let tag: String?
        switch choice {
        case .first: tag = all.lazy.compactMap(\.tag).first
        case .only where tags.count > 1:
            throw GodwitError(
                .badRequest, "the image layout \(path) holds the images \(list(tags))",
                remedy: "say which with --tag")
        case .only: tag = tags.first
        case .tag(let text): tag = text
        }
        let chosen = all.filter { $0.tag == tag }
        guard !chosen.isEmpty else {
            throw GodwitError(
                .badRequest,
                "the image layout \(path) has no image" + (tag.map { " with the tag \($0)" } ?? ""),
                remedy: tags.isEmpty
                    ? "copy one there, as in `skopeo copy … oci:\(path):latest`"
                    : "it holds \(list(tags))")
        }
        return chosen
    }

    private func list(_ tags: [String]) -> String {
        let more = tags.count > 10 ? " and \(tags.count - 10) more" : ""
        return tags.prefix(10).map { String($0.prefix(80)) }.joined(separator: ", ") + more
    }

    /// The manifest for this host's processor, through indexes in one another.
    private func manifest(
        of descriptors: [ImageDocuments.Descriptor], in name: String, depth: Int
    ) throws -> (ImageBlob, ImageDocuments.Document) {
        guard depth <= Limit.indexDepth else {
            throw GodwitError(
                .limitExceeded,
                "\(name) has indexes \(depth) deep, where \(Limit.indexDepth) "
                    + "are allowed")
        }
        let own = ImageDocuments.Platform(architecture: hostArchitecture, os: "linux")
        let fitting =
            descriptors.first { $0.platform == own } ?? descriptors.first { $0.platform == nil }
        guard let fitting else {
            let others = Set(
                descriptors.compactMap(\.platform).map { "\($0.os)/\($0.architecture)" })
            throw GodwitError(
                .badRequest, "\(name) has no image for linux/\(hostArchitecture)",
                remedy: "it has some for \(list(others.sorted()))")
        }
        let blob = try fitting.blob(in: name)
        let place = path(of: blob.digest)
        let found = try ImageDocuments.document(try document(blob), place)
        guard let manifests = found.manifests else { return (blob, found) }
        return try manifest(of: manifests, in: place, depth: depth + 1)
    }

    /// A blob that is a document, compared with its digest.
    private func document(_ blob: ImageBlob) throws -> [UInt8] {
        let path = path(of: blob.digest)
        let bytes = try Self.read(path)
        guard UInt64(bytes.count) == blob.size.bytes, BlobDigest.of(bytes) == blob.digest else {
            throw GodwitError.differs(path)
        }
        return bytes
    }

    private static func read(_ path: String) throws -> [UInt8] {
        let file = try openBlob(path)
        var bytes: [UInt8] = []
        while true {
            let more = try file.read(upTo: 65_536)
            if more.isEmpty { return bytes }
            bytes += more
            guard bytes.count <= Int(Limit.imageDocument.bytes) else {
                throw GodwitError(
                    .limitExceeded, "\(path) is longer than \(Limit.imageDocument.bytes) bytes",
                    remedy: "copy the image again, as in `skopeo copy … oci:DIRECTORY:latest`")
            }
        }
    }
}
