import LinuxHost
import MigrationCore

/// What an operator has given to make a root filesystem of.
enum RootImage {
    case directory(String)
    case archive(String)
    case layout(OCILayout, StoredImage)

    /// - Throws: `badRequest` if there is nothing of use.
    init(at path: String) throws {
        switch try GivenPath(at: path) {
        case .directory(let path): self = .directory(path)
        case .archive(let path): self = .archive(path)
        case .layout(let layout): self = .layout(layout, try layout.image(.first))
        }
    }

    var defaults: ImageDefaults {
        if case .layout(_, let image) = self { image.defaults } else { ImageDefaults() }
    }

    /// Makes the tree below the workshop.
    ///
    /// - Returns: the tree's root.
    func unpack(below workshop: String, besides root: String) async throws -> String {
        switch self {
        case .directory(let path):
            try GivenPath.refuse(root, in: path, "the pool")
            let tree = try emptyTree(below: workshop)
            try await Rsync.copy(path, into: tree).unpack("copied", path)
            return tree
        case .archive(let path):
            let tree = try emptyTree(below: workshop)
            try await Tar.extract(path, into: tree).unpack("unpacked as a tar archive", path)
            return tree
        case .layout(let layout, let image):
            let unpacker = ImageUnpacker(
                path: { layout.path(of: $0) },
                damage: { .differs(layout.path(of: $0.digest)) })
            return try await unpacker.unpack(image, below: workshop)
        }
    }

    private func emptyTree(below workshop: String) throws -> String {
        let tree = "\(workshop)/rootfs"
        try Directories.make(tree, mode: 0o755)
        return tree
    }
}
