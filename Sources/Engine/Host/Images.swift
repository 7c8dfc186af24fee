import Logging
package import MigrationCore

/// The host's images: taken in, shown, given out and removed.
extension HostService {
    package func images() async throws -> [ImageView] {
        let definitions = try store.instances().map(\.definition)
        return try store.images().map { ImageView($0, definitions) }
    }

    package func image(_ name: ImageName) async throws -> ImageView {
        try ImageView(record(of: name), store.instances().map(\.definition))
    }

    package func importImage(_ request: ImageImport) async throws -> ImageView {
        try recoverOnce()
        let words = [request.path, request.tag ?? ""]
        guard words.allSatisfy({ $0.utf8.count <= Limit.word.bytes && !$0.utf8.contains(0) })
        else {
            throw GodwitError(.limitExceeded, "a word is longer than \(Limit.word.bytes) bytes")
        }
        imports += 1
        defer {
            imports -= 1
            sweepImages()
        }
        do {
            let image = try await imageStore.take(request.path, tag: request.tag)
            let record = try store.add(image, alias: request.alias, at: .now)
            return ImageView(record, try store.instances().map(\.definition))
        } catch {
            hasUnusedBlobs = true
            throw error
        }
    }

    package func exportImage(_ name: ImageName, to path: String) async throws {
        try recoverOnce()
        let record = try record(of: name)
        let alias = record.aliases.contains(name) ? name : record.aliases.first
        try await using(record.image) {
            try await imageStore.export(record.image, as: alias?.text ?? "latest", to: path)
        }
    }

    package func deleteImage(_ name: ImageName) async throws {
        try recoverOnce()
        let image = try record(of: name).image
        guard imageUsers[image.digest] == nil else {
            throw GodwitError(
                .busy, "the image \(name) is being launched or exported",
                remedy: "try again when that is done")
        }
        try store.removeImage(image.digest)
        hasUnusedBlobs = true
        sweepImages()
    }

    /// An alias wins over a digest that begins so.
    func record(of name: ImageName) throws -> ImageRecord {
        let all = try store.images()
        if let named = all.first(where: { $0.aliases.contains(name) }) { return named }
        let found = all.filter { name.begins($0.image.digest) }
        guard let first = found.first else {
            throw GodwitError(
                .notFound,
                "no image of this host is called \(name) or has a digest that begins so",
                remedy: "see `godwit image list`; write a path with a slash, such as ./\(name)")
        }
        guard found.count == 1 else {
            throw GodwitError(
                .badRequest, "the digests of \(found.count) images begin with \(name)",
                remedy: "give more digits, or an alias")
        }
        return first
    }

    /// Keeps the image from being deleted meanwhile.
    func using(_ image: StoredImage, _ body: () async throws -> Void) async throws {
        imageUsers[image.digest, default: 0] += 1
        defer {
            let rest = (imageUsers[image.digest] ?? 1) - 1
            imageUsers[image.digest] = rest > 0 ? rest : nil
        }
        try await body()
    }

    /// Removes blobs that no image needs: not while one is taken in, whose blobs nobody needs yet.
    func sweepImages() {
        guard hasUnusedBlobs, imports == 0 else { return }
        do {
            let blobs = try store.images().flatMap(\.image.blobs).map(\.digest)
            try imageStore.sweep(keeping: Set(blobs))
            hasUnusedBlobs = false
        } catch {
            logger.error(
                "what images have left could not be removed; the next change tries again",
                metadata: ["error": "\(error)"])
        }
    }
}

extension ImageView {
    fileprivate init(_ record: ImageRecord, _ definitions: [InstanceDefinition]) {
        let own = definitions.filter { $0.image?.digest == record.image.digest }
        self.init(
            image: record.image, aliases: record.aliases, imported: record.imported,
            instances: own.map(\.name))
    }
}
