import LinuxHost
import MigrationCore

/// Makes, opens, grows and removes btrfs pools.
struct BtrfsMaker: Sendable {
    let definition: PoolDefinition
    /// Where a device or a file is mounted.
    let mountPoint: String
    /// The filesystem in a file, for pools without a source.
    let file: PoolFile
    private var name: String { definition.name }

    /// - Parameter directory: for what is made on this host, below the daemon's state.
    init(_ definition: PoolDefinition, below directory: String) {
        self.definition = definition
        mountPoint = "\(directory)/\(definition.name)"
        file = PoolFile(path: "\(mountPoint).img", pool: definition.name)
    }

    private enum Ground { case directory(String), device(String), file }

    func create() async throws -> PoolDefinition {
        var made = definition
        switch try ground() {
        case .directory(let path):
            try refuseSize()
            try Directories.make(path, mode: 0o711)
            try makeVolumes(below: path)
        case .device(let device):
            try refuseSize()
            if try await Blkid.type(on: device) != "btrfs" {
                try await makeFilesystem(on: device)
            }
            try await mount()
            try makeVolumes(below: mountPoint)
        case .file:
            // mkfs would refuse what an earlier try has begun.
            if SmallFile.exists(file.unfinished) { try SmallFile.remove(file.unfinished) }
            made.size = try await file.make(definition.size) { try await makeFilesystem(on: $0) }
            try await mount()
            try makeVolumes(below: mountPoint)
        }
        return made
    }

    /// Mounts what is not mounted: after a restart of the host nothing is.
    func open() async throws -> BtrfsPool {
        let root: String
        if case .directory(let path) = try ground() {
            root = path
        } else {
            root = mountPoint
            try await mount()
        }
        guard try FileStatus.of("\(root)/volumes")?.kind == .directory else {
            throw GodwitError(
                .notFound, "\(root) holds no pool",
                remedy: "mount its disk there, and start the daemon again")
        }
        let pool = BtrfsPool(name: name, path: root)
        _ = try await pool.facts()
        try await pool.removeAllLeftovers()
        return pool
    }

    func grow(to size: ByteCount) async throws -> PoolDefinition {
        guard case .file = try ground() else { throw GodwitError.unsizable(name) }
        try file.requireGrowth(to: size, from: definition.size)
        try await mount()
        guard let mounted = try MountedFilesystem.at(mountPoint) else {
            throw GodwitError(.notFound, "nothing is mounted at \(mountPoint)")
        }
        try SparseFile.setSize(size, of: file.path)
        try await Losetup.see(mounted.device).check()
        try await Btrfs.grow(mountPoint).check()
        var grown = definition
        grown.size = size
        return grown
    }

    /// - Throws: `busy` if volumes are in it.
    func destroy() async throws {
        if let source = definition.source, try FileStatus.following(source)?.kind == .directory {
            return try DirectoryPool.destroy(at: source, isOurs: false)
        }
        if try await isThere() {
            try await mount()
            try DirectoryPool.destroy(at: mountPoint, isOurs: false)
            try await MountedFilesystem.unmount(mountPoint)
        }
        if definition.source == nil { try file.remove() }
        try Directories.removeEmpty(mountPoint)
    }

    /// Whether there is a filesystem, mounted or not, that may hold volumes.
    private func isThere() async throws -> Bool {
        if try MountedFilesystem.at(mountPoint) != nil { return true }
        guard let device = definition.source else { return SmallFile.exists(file.path) }
        return try await Blkid.type(on: device) == "btrfs"
    }

    private func ground() throws -> Ground {
        guard let source = definition.source else { return .file }
        guard source.hasPrefix("/") else {
            throw GodwitError(
                .badRequest,
                "the source \"\(source.prefix(200))\" of pool \(name) is not absolute",
                remedy: "give the path from / on, as the daemon's host knows it")
        }
        switch try FileStatus.following(source)?.kind {
        case .blockDevice: return .device(source)
        case .directory, nil:
            let parent = try nearestDirectory(of: source)
            let filesystem = try FilesystemFacts.of(parent).type
            guard filesystem == "btrfs" else {
                throw GodwitError(
                    .badRequest, "\(source) lies on \(filesystem), not on btrfs",
                    remedy: "name a directory of a mounted btrfs or a block device, "
                        + "or leave the source out")
            }
            return .directory(source)
        default:
            throw GodwitError(
                .badRequest, "\(source) is neither a directory nor a block device",
                remedy: "leave the source out: a filesystem in a file is made then")
        }
    }

    private func nearestDirectory(of path: String) throws -> String {
        try FileStatus.following(path) != nil
            ? path : nearestDirectory(of: Directories.parent(of: path))
    }

    private func makeFilesystem(on path: String) async throws {
        let command = MakeBtrfs.filesystem(on: path, label: "godwit-\(name)")
        let result = try await command.run()
        guard !result.status.isSuccess else { return }
        throw GodwitError(
            .badRequest, "no btrfs could be made on \(path)",
            remedy: "name a device that is empty (`wipefs` makes it so) and in no use",
            cause: command.failure(of: result).cause)
    }

    private func mount() async throws {
        if let mounted = try MountedFilesystem.at(mountPoint) {
            guard mounted.type == "btrfs" else {
                throw GodwitError(
                    .busy, "\(mountPoint) has a \(mounted.type) mounted",
                    remedy: "unmount it, and start the daemon again")
            }
            return
        }
        try Directories.make(mountPoint, mode: 0o711)
        let path = definition.source ?? file.path
        let command = Mount.filesystem(
            "btrfs", on: path, at: mountPoint, isFile: definition.source == nil)
        let result = try await command.run()
        guard result.status.isSuccess else {
            throw GodwitError(
                .toolFailed, "\(path) could not be mounted for the pool \(name)",
                remedy: "see that it is there and whole (`btrfs check`)",
                cause: command.failure(of: result).cause)
        }
        try Directories.setMode(0o711, of: mountPoint)
    }

    private func makeVolumes(below path: String) throws {
        // By which `open` knows it again.
        try Directories.make("\(path)/volumes", mode: 0o711)
    }

    private func refuseSize() throws {
        guard definition.size == nil else { throw GodwitError.unsizable(name) }
    }
}
