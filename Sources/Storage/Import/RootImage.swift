import LinuxHost
import MigrationCore

/// What an operator has given to make a root filesystem of.
enum RootImage {
    case directory(String)
    case archive(String)
    case layout(OCILayout)

    /// - Throws: `badRequest` if there is nothing of use.
    init(at path: String) throws {
        guard path.hasPrefix("/") else {
            throw GodwitError(
                .badRequest, "the image's path \"\(path)\" is not absolute",
                remedy: "give the path from / on, as the daemon's host knows it")
        }
        let real: String
        do { real = try Directories.canonical(path) } catch {
            throw GodwitError(
                .badRequest, "there is no image at \(path)",
                remedy:
                    "name a directory, a tar archive or an OCI image layout on the daemon's host",
                cause: "\(error)")
        }
        switch try FileStatus.of(real)?.kind {
        case .directory where OCILayout.isLayout(real):
            self = .layout(try OCILayout(reading: real))
        case .directory: self = .directory(real)
        case .regular: self = .archive(real)
        default:
            throw GodwitError(
                .badRequest, "\(path) is neither a directory nor a file",
                remedy: "name a directory, a tar archive or an OCI image layout")
        }
    }

    var defaults: ImageDefaults {
        if case .layout(let layout) = self { layout.defaults } else { ImageDefaults() }
    }

    /// Makes the tree below the workshop.
    ///
    /// - Returns: the tree's root.
    func unpack(below workshop: String, besides root: String) async throws -> String {
        let tree: String
        switch self {
        case .directory(let path):
            try refuseToSwallow(root, in: path)
            tree = try emptyTree(below: workshop)
            try await run(Rsync.copy(path, into: tree), "copied", path)
        case .archive(let path):
            tree = try emptyTree(below: workshop)
            try await run(Tar.extract(path, into: tree), "unpacked as a tar archive", path)
        case .layout(let layout):
            let bundle = "\(workshop)/bundle"
            let command = Umoci.unpack(layout: layout.path, tag: layout.tag, bundle: bundle)
            try await run(command, "unpacked as an OCI image", layout.path)
            tree = "\(bundle)/rootfs"
        }
        guard try FileStatus.of(tree)?.kind == .directory else {
            throw GodwitError(
                .badRequest, "the image holds something else than a directory at its root",
                remedy: "make the archive with `tar -C ROOT -c .`")
        }
        guard try !Directories.names(in: tree).isEmpty else {
            throw GodwitError(
                .badRequest, "the image is empty",
                remedy: "see that the path is the right one")
        }
        return tree
    }

    private func emptyTree(below workshop: String) throws -> String {
        let tree = "\(workshop)/rootfs"
        try Directories.make(tree, mode: 0o755)
        return tree
    }

    private func refuseToSwallow(_ root: String, in path: String) throws {
        let inner = try Directories.canonical(root)
        guard inner != path, !inner.hasPrefix(path == "/" ? "/" : path + "/") else {
            throw GodwitError(
                .badRequest, "the directory \(path) holds the pool itself",
                remedy: "copy the root filesystem to a directory of its own first")
        }
    }

    private func run(_ command: Command, _ done: String, _ path: String) async throws {
        let result = try await command.run()
        guard !result.status.isSuccess else { return }
        let failure = command.failure(of: result)
        let isFull = result.errorText.contains("No space left on device")
        guard isFull || result.errorText.contains("Disk quota exceeded") else {
            throw GodwitError(
                .badRequest, "\(path) could not be \(done)",
                remedy: "see that it is whole and readable: a directory, a tar archive (plain or "
                    + "compressed by gzip, xz or zstd) or an OCI image layout",
                cause: failure.cause)
        }
        throw GodwitError(
            .noSpace, "there is not enough space in the pool for \(path)",
            remedy: "free space in the pool, or choose another", cause: failure.cause)
    }
}
