import Crypto
import Foundation
import LinuxHost

/// Writes an OCI image layout as the specification says, without a tool that might be wrong in the
/// same way.
struct LayoutWriter {
    let path: String

    init(at path: String) throws {
        self.path = path
        try Directories.make(path + "/blobs/sha256", mode: 0o755)
        try write(#"{"imageLayoutVersion": "1.0.0"}"#, to: path + "/oci-layout")
    }

    static func digest(_ bytes: Data) -> String {
        "sha256:"
            + SHA256.hash(data: bytes).map { String(UInt32($0) | 0x100, radix: 16).suffix(2) }
            .joined()
    }

    /// The members of a descriptor.
    @discardableResult
    func put(_ bytes: Data, _ mediaType: String) throws -> String {
        let digest = Self.digest(bytes)
        try bytes.write(to: URL(filePath: "\(path)/blobs/sha256/\(digest.dropFirst(7))"))
        return #""mediaType": "\#(mediaType)", "digest": "\#(digest)", "size": \#(bytes.count)"#
    }

    struct Layer {
        /// As it stands in the layout.
        let archive: Data
        let content: Data
        var type = "application/vnd.oci.image.layer.v1.tar"
    }

    /// A manifest and all that it names; the members of its descriptor.
    func putImage(
        _ layers: [Layer], architecture: String = own, process: String = "{}",
        type: String = "application/vnd.oci.image.manifest.v1+json"
    ) throws -> String {
        let contents = layers.map { "\"\(Self.digest($0.content))\"" }.joined(separator: ", ")
        let config = """
            {"architecture": "\(architecture)", "os": "linux", "config": \(process),
             "created": "2024-05-06T07:08:09.123456789Z",
             "rootfs": {"type": "layers", "diff_ids": [\(contents)]}}
            """
        let configured = try put(
            Data(config.utf8), "application/vnd.oci.image.config.v1+json")
        let blobs = try layers.map { "{\(try put($0.archive, $0.type))}" }
        let manifest = """
            {"schemaVersion": 2, "mediaType": "\(type)", "config": {\(configured)},
             "layers": [\(blobs.joined(separator: ", "))]}
            """
        return try put(Data(manifest.utf8), type)
    }

    /// - Parameter entries: the members of descriptors.
    func putIndex(_ entries: [String]) throws -> String {
        let type = "application/vnd.oci.image.index.v1+json"
        return try put(Data(Self.index(entries).utf8), type)
    }

    func finish(_ entries: [String]) throws {
        try write(Self.index(entries), to: path + "/index.json")
    }

    private static func index(_ entries: [String]) -> String {
        let all = entries.map { "{\($0)}" }.joined(separator: ", ")
        return "{\"schemaVersion\": 2, \"manifests\": [\(all)]}"
    }

    static func tag(_ name: String) -> String {
        #", "annotations": {"org.opencontainers.image.ref.name": "\#(name)"}"#
    }

    static func platform(_ architecture: String, os: String = "linux") -> String {
        #", "platform": {"architecture": "\#(architecture)", "os": "\#(os)"}"#
    }

    #if arch(arm64)
        static let own = "arm64"
    #else
        static let own = "amd64"
    #endif
}

/// A layer of what the script makes in an empty directory.
func layer(
    in scratch: String, _ script: String, compress: String? = nil
) async throws -> LayoutWriter.Layer {
    let tree = "\(scratch)/layer"
    try await shell("rm -rf $1; mkdir $1; cd $1; \(script)", tree)
    try await shell("tar --format=posix -C $1 -cf $1.tar .", tree)
    let content = try Data(contentsOf: URL(filePath: tree + ".tar"))
    var layer = LayoutWriter.Layer(archive: content, content: content)
    if let compress {
        try await shell("\(compress) -c $1.tar >$1.packed", tree)
        layer = LayoutWriter.Layer(
            archive: try Data(contentsOf: URL(filePath: tree + ".packed")), content: content,
            type: layer.type + "+" + compress)
    }
    try await shell("rm -rf $1 $1.tar $1.packed", tree)
    return layer
}
