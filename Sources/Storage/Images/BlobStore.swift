import Foundation
import LinuxHost
import MigrationCore

/// Blobs by their digest below one directory: each is there whole, or not at all.
struct BlobStore: Sendable {
    let directory: String

    private var folder: String { directory + "/blobs/sha256" }
    /// Where all comes into being. What a daemon finds here at its start, a dead one has left.
    private var incoming: String { directory + "/incoming" }

    func path(of digest: BlobDigest) -> String { "\(folder)/\(digest.hexadecimal)" }

    /// Makes the directories, and removes what was coming in when the daemon ended.
    func prepare() async throws {
        for path in [directory, folder] { try Directories.make(path, mode: 0o700) }
        try await Rm.tree(incoming).check()
        try Directories.make(incoming, mode: 0o700)
    }

    /// Lends a directory of its own to the body; nothing of it is left.
    func withWorkshop<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let place = "\(incoming)/\(UUID().uuidString.lowercased())"
        try Directories.make(place, mode: 0o700)
        do {
            let value = try await body(place)
            try await Rm.tree(place).check()
            return value
        } catch {
            // A task of its own: one that was cancelled must clean up, too.
            await Task { _ = try? await Rm.tree(place).check() }.value
            throw error
        }
    }

    func has(_ blob: ImageBlob) throws -> Bool {
        let status = try FileStatus.of(path(of: blob.digest))
        return status?.kind == .regular && status.map { UInt64($0.size) } == blob.size.bytes
    }

    /// Takes what was written into the store.
    func keep(_ draft: BlobDraft) throws -> ImageBlob {
        let blob = try draft.finish()
        let path = path(of: blob.digest)
        guard try !has(blob) else { return blob }
        try SmallFile.remove(path)
        do { try Directories.rename(draft.path, to: path) } catch {
            // Another import may have been faster.
            guard try has(blob) else { throw error }
        }
        try Directories.synchronize(folder)
        return blob
    }

    func keep(_ bytes: [UInt8], in place: String) throws -> ImageBlob {
        let draft = try BlobDraft(at: "\(place)/document")
        try draft.write(bytes)
        defer { try? SmallFile.remove(draft.path) }
        return try keep(draft)
    }

    /// Takes a file that claims to be the blob; one that is there already is not read again.
    ///
    /// - Throws: `badRequest` if it is something else.
    func take(_ path: String, as blob: ImageBlob, in place: String) async throws {
        guard try !has(blob) else { return }
        let draft = try BlobDraft(at: "\(place)/\(blob.digest.hexadecimal)")
        try await draft.copy(path, atMost: blob.size)
        guard draft.blob == blob else { throw GodwitError.differs(path) }
        _ = try keep(draft)
    }

    func sweep(keeping digests: Set<BlobDigest>) throws {
        let kept = Set(digests.map(\.hexadecimal))
        for name in try Directories.names(in: folder) where !kept.contains(name) {
            try SmallFile.remove("\(folder)/\(name)")
        }
    }
}

extension GodwitError {
    static func differs(_ path: String) -> GodwitError {
        GodwitError(
            .badRequest, "\(path) is not what its digest says",
            remedy: "copy the image again, as in `skopeo copy … oci:DIRECTORY:latest`")
    }
}
