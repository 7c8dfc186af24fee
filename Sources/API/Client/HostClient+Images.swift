package import MigrationCore
import NIOHTTP1

/// The host's images.
extension HostClient {
    package func images() async throws -> [ImageView] {
        try await get([ImageShape].self, "/1.0/images").map(\.godwit)
    }

    package func image(_ name: ImageName) async throws -> ImageView {
        try await get(ImageShape.self, "/1.0/images/\(name)").godwit
    }

    /// Returns the image once it is whole.
    package func importImage(_ request: ImageImport) async throws -> ImageView {
        let ended = try await perform(.POST, "/1.0/images", ImagesPost(request))
        guard let fingerprint = ended.metadata["fingerprint"]?.text else {
            throw GodwitError(
                .protocolViolation, "the daemon's answer to the import names no image")
        }
        return try await image(ImageName(fingerprint))
    }

    package func exportImage(_ name: ImageName, to path: String) async throws {
        try await perform(.POST, "/1.0/images/\(name)/export", ImageExportPost(path: path))
    }

    package func deleteImage(_ name: ImageName) async throws {
        try await perform(.DELETE, "/1.0/images/\(name)", Nothing())
    }
}
