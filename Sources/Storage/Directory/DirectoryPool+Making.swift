import LinuxHost
import MigrationCore

extension DirectoryPool {
    /// - Throws: `badRequest` if the source is no absolute path, or something else than a
    ///   directory.
    static func create(_ definition: PoolDefinition, at path: String) throws -> PoolDefinition {
        guard path.hasPrefix("/") else {
            throw GodwitError(
                .badRequest,
                "the source \"\(path.prefix(200))\" of pool \(definition.name) is "
                    + "not absolute",
                remedy: "give the path from / on, as the daemon's host knows it")
        }
        if let status = try FileStatus.of(path), status.kind != .directory {
            throw GodwitError(
                .badRequest, "\(path) is not a directory", remedy: "name one, or a new path")
        }
        try Directories.make(path, mode: 0o711)
        // By which `open` knows it again.
        try Directories.make("\(path)/volumes", mode: 0o711)
        return definition
    }

    /// - Throws: `notFound` where no pool was made, or its disk is missing.
    static func open(_ definition: PoolDefinition, at path: String) throws -> DirectoryPool {
        guard try FileStatus.of("\(path)/volumes")?.kind == .directory else {
            throw GodwitError(
                .notFound, "\(path) holds no pool",
                remedy: "mount its disk there, and start the daemon again")
        }
        return DirectoryPool(name: definition.name, path: path)
    }

    /// - Parameter isOurs: whether the directory itself is removed as well.
    /// - Throws: `busy` if volumes are in it.
    static func destroy(at path: String, isOurs: Bool) throws {
        guard try FileStatus.of(path)?.kind == .directory else { return }
        let volumes = "\(path)/volumes"
        let left = try Directories.names(in: volumes) + Directories.names(in: "\(path)/kept")
        guard left.isEmpty else {
            throw GodwitError(
                .busy, "\(path) holds \(left.sorted().prefix(5).joined(separator: ", "))",
                remedy: "see whether it is still wanted, and remove it")
        }
        for directory in [volumes, "\(path)/kept"] { try Directories.removeEmpty(directory) }
        if isOurs { try Directories.removeEmpty(path) }
    }
}
