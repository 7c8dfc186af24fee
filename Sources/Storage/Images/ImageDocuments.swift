import Foundation
import MigrationCore

/// The JSON documents of the OCI image specification (1.1), read with bounds.
///
/// What Docker calls differently but means the same is taken too.
enum ImageDocuments {
    /// Names a blob, and what it is.
    struct Descriptor: Codable {
        var mediaType: String?
        var digest: String
        var size: UInt64?
        var annotations: [String: String]?
        var platform: Platform?
    }

    struct Platform: Codable, Equatable {
        var architecture: String
        var os: String
    }

    /// An index names manifests, a manifest the configuration and the layers of one image.
    struct Document: Codable {
        var schemaVersion: Int?
        var mediaType: String?
        var manifests: [Descriptor]?
        var config: Descriptor?
        var layers: [Descriptor]?
    }

    struct Configuration: Codable {
        var architecture: String?
        var os: String?
        var created: String?
        var config: Process?
        var rootfs: RootFilesystem
        var history: [Step]?
    }

    struct RootFilesystem: Codable {
        var type: String?
        /// Digests of the layers without their compression, the lowest first.
        var contents: [String]

        enum CodingKeys: String, CodingKey {
            case type
            case contents = "diff_ids"
        }
    }

    struct Step: Codable {
        var createdBy: String?

        enum CodingKeys: String, CodingKey { case createdBy = "created_by" }
    }

    /// Spelled as in the specification.
    struct Process: Codable {
        var User: String?
        var Env: [String]?
        var Entrypoint: [String]?
        var Cmd: [String]?
        var WorkingDir: String?
    }

    static let tagName = "org.opencontainers.image.ref.name"
    static let manifestType = "application/vnd.oci.image.manifest.v1+json"
    static let configurationType = "application/vnd.oci.image.config.v1+json"
    static let layoutMark = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)

    /// - Parameter name: what an error calls it.
    /// - Throws: `badRequest`, `limitExceeded`.
    static func document(_ bytes: [UInt8], _ name: String) throws -> Document {
        let document = try decode(Document.self, bytes, name)
        try bounded(document.manifests?.count, Limit.imagesInIndex, "images in \(name)")
        try bounded(document.layers?.count, Limit.layersPerImage, "layers in \(name)")
        return document
    }

    static func configuration(_ bytes: [UInt8], _ name: String) throws -> Configuration {
        let configuration = try decode(Configuration.self, bytes, name)
        let process = configuration.config
        let command = (process?.Entrypoint ?? []) + (process?.Cmd ?? [])
        try bounded(command.count, Limit.commandWords, "words of the command in \(name)")
        try bounded(
            process?.Env?.count, Limit.environmentVariables, "environment variables in \(name)")
        let words =
            command + (process?.Env ?? [])
            + [process?.User, process?.WorkingDir, configuration.architecture].compactMap { $0 }
        guard words.allSatisfy({ $0.utf8.count <= Limit.word.bytes && !$0.utf8.contains(0) })
        else {
            throw GodwitError(
                .limitExceeded, "a word in \(name) is longer than \(Limit.word.bytes) bytes")
        }
        return configuration
    }

    private static func bounded(_ count: Int?, _ limit: Int, _ what: String) throws {
        guard let count, count > limit else { return }
        throw GodwitError(.limitExceeded, "there are \(count) \(what), where \(limit) are allowed")
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8], _ name: String
    ) throws -> Value {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
            throw GodwitError(
                .badRequest, "\(name) is not what the OCI image specification says",
                remedy: "copy the image again, as in `skopeo copy … oci:DIRECTORY:latest`",
                cause: "\(error)")
        }
    }

    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}

extension ImageDocuments.Descriptor {
    var tag: String? { annotations?[ImageDocuments.tagName] }

    /// - Throws: `badRequest`, `limitExceeded`.
    func blob(in name: String) throws -> ImageBlob {
        guard let digest = try? BlobDigest(digest) else {
            throw GodwitError(
                .badRequest, "\(name) names the digest \(digest.prefix(80))",
                remedy: "copy the image again, and check where it came from")
        }
        guard let size else {
            throw GodwitError(
                .badRequest, "\(name) does not say the size of \(digest)",
                remedy: "copy the image again, and check where it came from")
        }
        guard size <= Limit.imageBlob.bytes else {
            throw GodwitError(
                .limitExceeded, "\(digest) of \(name) is larger than \(Limit.imageBlob.bytes) bytes"
            )
        }
        return ImageBlob(digest: digest, size: ByteCount(bytes: size))
    }

    /// - Throws: `badRequest` if it is no layer of a root filesystem.
    func compression(in name: String) throws -> ImageLayer.Compression {
        let type = mediaType ?? ""
        if type.hasSuffix(".tar") || type.hasSuffix(".diff") { return .none }
        if type.hasSuffix("+gzip") || type.hasSuffix(".tar.gzip") { return .gzip }
        if type.hasSuffix("+zstd") || type.hasSuffix(".tar.zstd") { return .zstd }
        throw GodwitError(
            .badRequest, "\(name) has a layer of the type \"\(type.prefix(120))\"",
            remedy: "use an image of a root filesystem, plain or compressed by gzip or zstd")
    }
}

extension ImageLayer {
    /// As an OCI manifest calls it.
    var mediaType: String {
        let suffix = compression == .none ? "" : "+" + compression.rawValue
        return "application/vnd.oci.image.layer.v1.tar" + suffix
    }
}

extension ImageDocuments.Configuration {
    var defaults: ImageDefaults {
        ImageDefaults(
            command: (config?.Entrypoint ?? []) + (config?.Cmd ?? []),
            environment: config?.Env ?? [],
            workingDirectory: config?.WorkingDir.flatMap { $0.isEmpty ? nil : $0 },
            user: config?.User.flatMap { $0.isEmpty ? nil : $0 })
    }

    /// Nil where it is missing or no moment of RFC 3339; fractions of a second are left out.
    var createdMoment: Timestamp? {
        guard let created, created.utf8.count <= 64 else { return nil }
        let parts = created.split(separator: ".", maxSplits: 1)
        let zone = parts.count == 2 ? parts[1].drop(while: \.isNumber) : ""
        let text = (parts.first.map(String.init) ?? "") + zone
        guard let seconds = try? Date(text, strategy: .iso8601).timeIntervalSince1970,
            abs(seconds) < 1e12
        else { return nil }
        return Timestamp(milliseconds: Int64(seconds) * 1_000)
    }
}

/// This host's processor in OCI's words, which are Go's.
var hostArchitecture: String {
    #if arch(arm64)
        "arm64"
    #else
        "amd64"
    #endif
}
