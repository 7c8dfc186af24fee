import LinuxHost
import MigrationCore

/// What an operator has given to make a root filesystem or an image of, by its path without links.
enum GivenPath {
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
        case .directory where OCILayout.isLayout(real): self = .layout(OCILayout(path: real))
        case .directory: self = .directory(real)
        case .regular: self = .archive(real)
        default:
            throw GodwitError(
                .badRequest, "\(path) is neither a directory nor a file",
                remedy: "name a directory, a tar archive or an OCI image layout")
        }
    }

    /// - Throws: `badRequest` if what is to be made lies in what it is made of.
    static func refuse(_ inner: String, in path: String, _ what: String) throws {
        let inner = try Directories.canonical(inner)
        guard inner != path, !inner.hasPrefix(path == "/" ? "/" : path + "/") else {
            throw GodwitError(
                .badRequest, "the directory \(path) holds \(what) itself",
                remedy: "copy the root filesystem to a directory of its own first")
        }
    }
}
