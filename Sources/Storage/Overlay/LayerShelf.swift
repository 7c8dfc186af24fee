import LinuxHost
import MigrationCore
import Synchronization

/// The layers of a pool, which volumes share.
///
///     layers 0700 / empty          lies below volumes that have no layers
///                 / DIGEST / tree  the digest is of all that is in the tree
///                          / ways  how images come to it, one a line
///                 / .draft-HEX     is no layer yet
///
/// Which are needed is written in the volumes. One that is being added, and that no volume names
/// yet, is held in memory meanwhile; what a crash leaves is removed by the next sweep.
final class LayerShelf: Sendable {
    let directory: String
    private let held = Mutex<[BlobDigest: Int]>([:])

    init(directory: String) { self.directory = directory }

    static let empty = "empty"
    private static let draftPrefix = ".draft-"
    private static let doomedPrefix = ".deleting-"

    /// Of a layer's tree, relative to the directory.
    static func place(of layer: BlobDigest) -> String { "\(layer.hexadecimal)/tree" }
    func path(of layer: BlobDigest) -> String { "\(directory)/\(Self.place(of: layer))" }

    func prepare() throws {
        try Directories.make(directory, mode: 0o700)
        try Directories.make("\(directory)/\(Self.empty)", mode: 0o755)
    }

    func has(_ layer: BlobDigest) throws -> Bool {
        try FileStatus.of(path(of: layer))?.kind == .directory
    }

    /// Keeps layers, also those that are still to come, until they are released.
    ///
    /// - Returns: those of them that are missing.
    func hold(_ layers: [BlobDigest]) throws -> [BlobDigest] {
        try held.withLock { held in
            let missing = try layers.filter { try !has($0) }
            for layer in layers { held[layer, default: 0] += 1 }
            return missing
        }
    }

    func release(_ layers: [BlobDigest]) {
        held.withLock { held in
            for layer in layers {
                let rest = (held[layer] ?? 1) - 1
                held[layer] = rest > 0 ? rest : nil
            }
        }
    }

    /// The layer to which an image has come before, held.
    func hold(way: BlobDigest) throws -> BlobDigest? {
        try held.withLock { held in
            let found = try layers().first { try ways(to: $0).contains(way) }
            if let found { held[found, default: 0] += 1 }
            return found
        }
    }

    /// Where a layer is made: a directory with an empty `tree`.
    func makeDraft() throws -> String {
        let draft = "\(directory)/\(Self.draftPrefix)\(randomDigits())"
        try Directories.make(draft, mode: 0o700)
        try Directories.make("\(draft)/tree", mode: 0o755)
        return draft
    }

    /// Makes a layer of a draft's tree, durably; one that is there already is as good. It is held.
    ///
    /// - Parameters:
    ///   - expected: what it must be.
    ///   - way: how an image comes to it.
    /// - Throws: `volumeDiffers` if it is another one.
    func keep(
        _ draft: String, as expected: BlobDigest? = nil, way: BlobDigest? = nil
    ) async throws -> BlobDigest {
        let layer = try await LayerDigest.of("\(draft)/tree")
        guard expected.map({ $0 == layer }) ?? true else {
            throw GodwitError(
                .volumeDiffers, "a layer that arrived is not the one that was said",
                remedy: "run the same version of godwit on both hosts, and move again",
                cause: "it is \(layer), not \(expected?.description ?? "")")
        }
        for name in try Directories.names(in: draft) where name != "tree" {
            try await Rm.tree("\(draft)/\(name)").check()
        }
        try await FilesystemFacts.flush(at: draft)
        _ = try hold([layer])
        do { try await put(draft, in: layer, way) } catch {
            release([layer])
            throw error
        }
        return layer
    }

    private func put(_ draft: String, in layer: BlobDigest, _ way: BlobDigest?) async throws {
        let isNew = try held.withLock { _ in
            let isNew = try !has(layer)
            if isNew { try Directories.rename(draft, to: "\(directory)/\(layer.hexadecimal)") }
            if let way { try add(way, to: layer) }
            return isNew
        }
        if !isNew { try await Rm.tree(draft).check() }
        try Directories.synchronize(directory)
    }

    /// Removes every layer that nobody needs.
    ///
    /// - Parameter needed: is asked while no layer can be added.
    func sweep(_ needed: @Sendable () throws -> Set<BlobDigest>) async throws {
        let doomed = try held.withLock { held in
            let needed = try needed().union(held.keys)
            for layer in try layers() where !needed.contains(layer) {
                let doomed = Self.doomedPrefix + randomDigits()
                try Directories.rename(
                    "\(directory)/\(layer.hexadecimal)", to: "\(directory)/\(doomed)")
            }
            return try Directories.names(in: directory).filter { $0.hasPrefix(Self.doomedPrefix) }
        }
        for name in doomed { try await Rm.tree("\(directory)/\(name)").check() }
    }

    /// What was being made when the daemon ended.
    func removeDrafts() async throws {
        for name in try Directories.names(in: directory) where name.hasPrefix(Self.draftPrefix) {
            try await remove(draft: "\(directory)/\(name)")
        }
    }

    func remove(draft: String) async throws {
        try await MountedFilesystem.detachAll(below: draft)
        try await Rm.tree(draft).check()
    }

    private func layers() throws -> [BlobDigest] {
        try Directories.names(in: directory).compactMap { try? BlobDigest("sha256:\($0)") }
    }

    private func ways(to layer: BlobDigest) throws -> Set<BlobDigest> {
        let file = "\(directory)/\(layer.hexadecimal)/ways"
        guard try FileStatus.of(file) != nil else { return [] }
        return Set(
            try SmallFile.text(file).split(separator: "\n")
                .compactMap { try? BlobDigest(String($0)) })
    }

    private func add(_ way: BlobDigest, to layer: BlobDigest) throws {
        let ways = try ways(to: layer).union([way]).prefix(Limit.waysToLayer)
        let text = ways.map { "\($0)\n" }.joined()
        try SmallFile.replace("\(directory)/\(layer.hexadecimal)/ways", with: Array(text.utf8))
    }
}
