import LinuxHost
package import MigrationCore

extension OverlayPool: LayerSharing {
    /// Images of more layers than can be mounted become one tree, as do those for an instance whose
    /// ids on the host could be taken for the image's.
    package func fill(
        _ volume: String, with image: StoredImage, from store: any ImageStoring, idMap: IDMap?
    ) async throws {
        let root = try tree(of: volume)
        guard image.layers.count <= Limit.overlayLayers, idMap?.isAboveItself ?? true else {
            return try await store.unpack(image, into: root, idMap: idMap)
        }
        guard try Directories.names(in: root).isEmpty else { throw layout.taken(volume) }
        var held: [BlobDigest] = []
        do {
            for index in image.layers.indices {
                let lower = Self.topmost(held)
                held.append(try await layer(index, of: image, over: lower, from: store, idMap))
            }
            try await put(volume, over: Self.topmost(held))
            try await mount(volume)
        } catch {
            shelf.release(held)
            throw error
        }
        shelf.release(held)
    }

    package func fill(
        _ volume: String, as other: String, at snapshot: String?
    ) async throws {
        let root = try tree(of: volume)
        guard try Directories.names(in: root).isEmpty else { throw layout.taken(volume) }
        _ = try layout.usablePath(of: other)
        let original =
            if let snapshot {
                LayerStack(directory: try layout.usablePlace(of: snapshot, in: other))
            } else {
                changes(of: other)
            }
        guard try original.isThere else {
            throw GodwitError(
                .notFound, "there is no \(original.directory)",
                remedy: "see `godwit info \(other)`")
        }
        let layers = try original.layers
        _ = try shelf.hold(layers)
        defer { shelf.release(layers) }
        try await unmount(volume)
        let copy = changes(of: volume)
        try await TreeCopy.make(of: original.upper, at: copy.upper)
        try copy.write(layers)
        try await FilesystemFacts.flush(at: copy.directory)
        try await mount(volume)
    }

    /// - Returns: the layer, held.
    private func layer(
        _ index: Int, of image: StoredImage, over lower: [BlobDigest],
        from store: any ImageStoring, _ idMap: IDMap?
    ) async throws -> BlobDigest {
        let way = Self.way(to: image.layers[...index], idMap)
        if let known = try shelf.hold(way: way) { return known }
        let draft = try shelf.makeDraft()
        do {
            try await lay(index, of: image, over: lower, from: store, in: draft)
            let tree = "\(draft)/tree"
            try await OverlayMarks.clean(tree, isLowest: index == 0)
            // What was copied up from layers below has been given away already.
            let shift = try idMap.map { try IDShift($0, leavesShifted: index > 0) }
            try await shift?.apply(to: tree)
            // An archive need not say it, and the volume's root has its own.
            try Directories.setModified(FileTime(seconds: 0), of: tree)
            return try await shelf.keep(draft, way: way)
        } catch {
            try? await shelf.remove(draft: draft)
            throw error
        }
    }

    /// Over the layers below, so that directories which an archive does not name are as they are
    /// there, and what it removes can be marked as such.
    private func lay(
        _ index: Int, of image: StoredImage, over lower: [BlobDigest],
        from store: any ImageStoring, in draft: String
    ) async throws {
        guard let top = lower.last else {
            return try await store.unpack(
                layer: index, of: image, over: "\(draft)/tree", workshop: "\(draft)/workshop")
        }
        let name = draft.split(separator: "/").last.map(String.init) ?? ""
        try Directories.setOwnership(of: "\(draft)/tree", like: shelf.path(of: top))
        let point = "\(draft)/point"
        for directory in [point, "\(draft)/work"] { try Directories.make(directory, mode: 0o700) }
        try await Mount.overlay(
            lower.reversed().map(LayerShelf.place), upper: ("\(name)/tree", "\(name)/work"),
            at: point, in: shelf.directory
        ).check()
        try await store.unpack(
            layer: index, of: image, over: point, workshop: "\(draft)/workshop")
        try await MountedFilesystem.unmount(point)
    }

    /// The kernel takes each tree once. One that lies lower as well shows nothing there that it
    /// does not show above.
    private static func topmost(_ layers: [BlobDigest]) -> [BlobDigest] {
        var seen: Set<BlobDigest> = []
        return Array(layers.reversed().filter { seen.insert($0).inserted }.reversed())
    }

    /// How an image comes to a layer: by all layers up to it, and the ids that own its files.
    private static func way(to layers: ArraySlice<ImageLayer>, _ idMap: IDMap?) -> BlobDigest {
        let ids = idMap.map { "\($0.hostStart) \($0.count)" } ?? "own"
        let chain = layers.map(\.contentDigest.description).joined(separator: " ")
        return .of(Array("\(ids) \(chain)".utf8))
    }
}
