import Foundation
package import MigrationCore

/// An OCI image layout on disk: which image it offers, and what that says about its process.
package struct OCILayout: Sendable {
    package let path: String
    /// The first tag of its index.
    package let tag: String
    package let defaults: ImageDefaults

    /// Whether the directory is an image layout at all.
    package static func isLayout(_ path: String) -> Bool {
        unsafe access(path + "/oci-layout", F_OK) == 0 && access(path + "/index.json", F_OK) == 0
    }

    /// - Throws: `badRequest` with the file that is missing or not as the specification says.
    package init(reading path: String) throws {
        let index: Index = try Self.decode(path + "/index.json")
        let tagged = index.manifests.lazy.compactMap { descriptor in
            descriptor.annotations?["org.opencontainers.image.ref.name"].map { (descriptor, $0) }
        }
        guard let (descriptor, tag) = tagged.first else {
            throw GodwitError(
                .badRequest, "the image layout \(path) has no tag",
                remedy: "give it one, as in `skopeo copy … oci:\(path):latest`")
        }
        self.path = path
        self.tag = tag
        let manifest: Manifest = try Self.decode(Self.blob(descriptor, path))
        guard let config = manifest.config else {
            throw GodwitError(
                .badRequest, "the tag \(tag) of \(path) is not an image for one platform",
                remedy: "copy one platform with `skopeo copy --override-arch …`")
        }
        let image: Image = try Self.decode(Self.blob(config, path))
        let process = image.config
        defaults = ImageDefaults(
            command: (process?.Entrypoint ?? []) + (process?.Cmd ?? []),
            environment: process?.Env ?? [],
            workingDirectory: process?.WorkingDir.flatMap { $0.isEmpty ? nil : $0 },
            user: process?.User.flatMap { $0.isEmpty ? nil : $0 })
    }

    private static func blob(_ descriptor: Descriptor, _ path: String) throws -> String {
        let parts = descriptor.digest.split(separator: ":", maxSplits: 1)
        let isPlain = { (text: Substring) in
            !text.isEmpty && text.utf8.count <= 128
                && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
        }
        guard parts.count == 2, isPlain(parts[0]), isPlain(parts[1]) else {
            throw GodwitError(
                .badRequest,
                "the image layout \(path) names the digest \(descriptor.digest.prefix(80))",
                remedy: "copy the image again, and check where it came from")
        }
        return "\(path)/blobs/\(parts[0])/\(parts[1])"
    }

    private static func decode<Value: Decodable>(_ path: String) throws -> Value {
        let remedy = "copy the image again, as in `skopeo copy … oci:DIRECTORY:latest`"
        guard let file = try? LinuxHost.Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        else {
            throw GodwitError(.badRequest, "the image has no file \(path)", remedy: remedy)
        }
        var bytes: [UInt8] = []
        while true {
            let more = try file.read(upTo: 65_536)
            if more.isEmpty { break }
            bytes += more
            guard bytes.count <= Int(Limit.smallFile.bytes) else {
                throw GodwitError(.badRequest, "\(path) is too long for what it is", remedy: remedy)
            }
        }
        do { return try JSONDecoder().decode(Value.self, from: Data(bytes)) } catch {
            throw GodwitError(
                .badRequest, "\(path) is not what the OCI image specification says",
                remedy: remedy, cause: "\(error)")
        }
    }

    private struct Index: Decodable { let manifests: [Descriptor] }
    private struct Descriptor: Decodable {
        let digest: String
        let annotations: [String: String]?
    }
    private struct Manifest: Decodable { let config: Descriptor? }
    private struct Image: Decodable { let config: Process? }
    /// Spelled as in the specification.
    private struct Process: Decodable {
        let User: String?
        let Env: [String]?
        let Entrypoint: [String]?
        let Cmd: [String]?
        let WorkingDir: String?
    }
}
