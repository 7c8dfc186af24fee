import LinuxHost
package import MigrationCore

/// Images go out as OCI image layouts, which `take` and skopeo read.
extension ImageStore {
    package func export(_ image: StoredImage, as name: String, to path: String) async throws {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard path.hasPrefix("/") else {
            throw GodwitError(
                .badRequest, "the path \"\(path)\" is not absolute",
                remedy: "give the path from / on, as the daemon's host knows it")
        }
        guard try FileStatus.of(path) == nil else {
            throw GodwitError(.nameTaken, "there is a \(path) already", remedy: "choose another")
        }
        // Whoever looks at the path finds all of the image, or nothing.
        // A name that nobody else gives: what is there is what a daemon that died has left.
        let parent = Directories.parent(of: path)
        let partial = "\(parent)/.godwit-export-\(path.dropFirst(parent.count).drop { $0 == "/" })"
        try await Rm.tree(partial).check()
        do {
            if path.hasSuffix(".tar") {
                try await pack(image, as: name, into: partial)
            } else {
                try await copy(image, as: name, into: partial)
            }
            try Directories.rename(partial, to: path)
            try Directories.synchronize(parent)
        } catch {
            // A task of its own: one that was cancelled must clean up, too.
            await Task { _ = try? await Rm.tree(partial).check() }.value
            throw error
        }
    }

    private func copy(_ image: StoredImage, as name: String, into layout: String) async throws {
        let folder = "\(layout)/blobs/sha256"
        try Directories.make(folder, mode: 0o755)
        for blob in Set(image.blobs) {
            let draft = try BlobDraft(at: "\(folder)/\(blob.digest.hexadecimal)", mode: 0o644)
            try await draft.copy(blobs.path(of: blob.digest), atMost: blob.size)
            guard try draft.finish() == blob else { throw damaged(blob) }
        }
        try ImageDocuments.writeFrame(of: image.manifest, tag: name, at: layout)
    }

    private func pack(_ image: StoredImage, as name: String, into archive: String) async throws {
        for blob in Set(image.blobs) {
            let found = try? await ContentDigest.of(blobs.path(of: blob.digest))
            guard found == blob else { throw damaged(blob) }
        }
        try await blobs.withWorkshop { place in
            let folder = "\(place)/blobs/sha256"
            try Directories.make(folder, mode: 0o755)
            for blob in Set(image.blobs) {
                try Directories.link(
                    blobs.path(of: blob.digest), at: "\(folder)/\(blob.digest.hexadecimal)")
            }
            try ImageDocuments.writeFrame(of: image.manifest, tag: name, at: place)
            try await Tar.pack(layout: place, into: archive).check()
        }
        try Directories.synchronize(archive)
    }
}
