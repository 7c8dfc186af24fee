import LinuxHost
import MigrationCore

/// Where a pool's volumes are, in a directory of a filesystem.
///
///     ROOT 0711 / volumes 0711 / NAME 0711 / rootfs 0755
///
/// Everyone may pass through, so that the shifted ids of an instance reach its root; nobody may
/// list. Copies of volumes that have left are beside them, with all that was in their places, and
/// are only root's:
///
///     ROOT / kept 0700 / COPY / rootfs
struct VolumeLayout: Sendable {
    let pool: String
    let root: String

    /// - Parameter root: absolute; made at the first volume if it is missing.
    init(pool: String, root: String) {
        precondition(root.hasPrefix("/"), "a pool's path is absolute")
        self.pool = pool
        self.root = root
    }

    var volumes: String { "\(root)/volumes" }
    /// What a volume has beside its tree is here, too.
    func place(of volume: String) -> String { "\(volumes)/\(volume)" }

    /// - Precondition: a name that could be one of a volume here.
    func path(of volume: String) -> String {
        precondition(Self.isUsable(volume), "no volume can be called \(volume)")
        return "\(place(of: volume))/rootfs"
    }

    /// For names that a peer or an operator may have made up.
    func usablePath(of volume: String) throws -> String {
        try Self.require(volume, toName: "a volume")
        return path(of: volume)
    }

    /// The path of a volume that is a mount of its own.
    ///
    /// - Throws: `notFound` if it is not mounted: what is there then is not the volume.
    func mountedTree(of volume: String, type: String) throws -> String {
        try mountedTree(of: volume) { $0.type == type }
    }

    /// - Parameter isIt: whether what is mounted there is the volume.
    func mountedTree(
        of volume: String, where isIt: (MountedFilesystem) -> Bool
    ) throws -> String {
        let root = try usablePath(of: volume)
        guard let mounted = try MountedFilesystem.at(root), isIt(mounted) else {
            throw GodwitError(
                .notFound, "the volume \(volume) is not mounted at \(root)",
                remedy: "start the daemon again, which mounts it")
        }
        return root
    }

    /// Where a volume's snapshots are, which only root can pass.
    func shelf(of volume: String) -> String { "\(place(of: volume))/snapshots" }

    /// - Precondition: a name that could be one of a snapshot here.
    func place(of snapshot: String, in volume: String) -> String {
        precondition(Self.isUsable(snapshot), "no snapshot can be called \(snapshot)")
        return "\(shelf(of: volume))/\(snapshot)"
    }

    /// For names that a peer or an operator may have made up.
    func usablePlace(of snapshot: String, in volume: String) throws -> String {
        _ = try usablePath(of: volume)
        try Self.require(snapshot, toName: "a snapshot")
        return place(of: snapshot, in: volume)
    }

    static func require(_ name: String, toName what: String) throws {
        guard isUsable(name) else {
            throw GodwitError(
                .badRequest, "\"\(name.prefix(80))\" is no name for \(what)",
                remedy: "use 1 to 200 letters, digits, dashes, dots and underscores, no dot first")
        }
    }

    func has(_ volume: String) -> Bool {
        guard Self.isUsable(volume) else { return false }
        return (try? FileStatus.of(path(of: volume)))?.kind == .directory
    }

    /// Makes the place of a volume.
    func makePlace(of volume: String) throws {
        try Directories.make(volumes, mode: 0o711)
        try Directories.make(place(of: volume), mode: 0o711)
    }

    func taken(_ volume: String) -> GodwitError {
        GodwitError(
            .nameTaken, "the pool \(pool) has a volume \(volume) already",
            remedy: "delete it, or choose another name")
    }

    /// - Throws: `nameTaken`, `notFound`; done already is no error.
    func rename(_ volume: String, to newName: String) throws {
        _ = try (usablePath(of: volume), usablePath(of: newName))
        if !has(volume), has(newName) { return }
        try Directories.rename(place(of: volume), to: place(of: newName))
    }

    /// Takes a volume away at once for everyone who looks; what it has become is to be removed, and
    /// is a leftover until then. No volume is no error.
    ///
    /// - Returns: where it is now.
    func doom(_ volume: String) throws -> String? {
        let doomed = "\(volumes)/\(Self.doomedPrefix)\(volume)"
        do { try Directories.rename(place(of: volume), to: doomed) } catch {
            guard let error = error as? GodwitError, error.code == .notFound else { throw error }
            return nil
        }
        return doomed
    }

    /// Volumes whose removal has not ended.
    func leftovers() throws -> [String] {
        try Directories.names(in: volumes).filter { $0.hasPrefix(Self.doomedPrefix) }
            .map { "\(volumes)/\($0)" }
    }

    func facts(driver: String) throws -> PoolFacts {
        let filesystem = try FilesystemFacts.of(root)
        return PoolFacts(
            name: pool, driver: driver, filesystem: filesystem.type,
            available: filesystem.available)
    }

    static let doomedPrefix = ".deleting-"

    static func isUsable(_ name: String) -> Bool {
        let isPlain = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                || (0x61...0x7a).contains(byte) || [0x2d, 0x2e, 0x5f].contains(byte)
        }
        return isPlain && (1...200).contains(name.utf8.count) && !name.hasPrefix(".")
    }
}
