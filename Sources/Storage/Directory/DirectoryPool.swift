import LinuxHost
package import MigrationCore
import Synchronization

/// Volumes as plain directories of any filesystem, sent by rsync.
///
///     PATH 0711 / volumes 0711 / NAME 0711 / rootfs 0755
///                                          / snapshots 0700 / SNAP 0700 / rootfs
///
/// Everyone may pass through, so that the shifted ids of an instance reach its root; nobody may
/// list. Snapshots are nobody's but root's.
package final class DirectoryPool: PoolDriver {
    package let driver = "directory"
    package let methods: [VolumeMethod] = [.rsync]
    private let name: String
    private let root: String
    let memories = Mutex<[String: VolumeMemory]>([:])

    /// - Parameter path: absolute; made at the first volume if it is missing.
    package init(name: String, path: String) {
        precondition(path.hasPrefix("/"), "a pool's path is absolute")
        self.name = name
        root = path
    }

    var volumes: String { "\(root)/volumes" }

    /// - Throws: `nameTaken` if there is such a volume and it is not empty.
    package func createVolume(_ name: String) async throws -> String {
        let path = try usablePath(of: name)
        try await removeLeftovers()
        try Directories.make(volumes, mode: 0o711)
        try Directories.make("\(volumes)/\(name)", mode: 0o711)
        guard try Directories.make(path, mode: 0o755) || Directories.names(in: path).isEmpty else {
            throw GodwitError(
                .nameTaken, "the pool \(self.name) has a volume \(name) already",
                remedy: "delete it, or choose another name")
        }
        return path
    }

    /// - Precondition: a name that could be one of a volume here.
    package func path(of volume: String) -> String {
        precondition(Self.isUsable(volume), "no volume can be called \(volume)")
        return "\(volumes)/\(volume)/rootfs"
    }

    package func hasVolume(_ name: String) async -> Bool {
        guard Self.isUsable(name) else { return false }
        return (try? FileStatus.of(path(of: name)))?.kind == .directory
    }

    /// - Throws: `nameTaken`, `notFound`; done already is no error.
    package func renameVolume(_ name: String, to newName: String) async throws {
        _ = try (usablePath(of: name), usablePath(of: newName))
        if await !hasVolume(name), await hasVolume(newName) { return }
        try Directories.rename("\(volumes)/\(name)", to: "\(volumes)/\(newName)")
        memories.withLock { $0[newName] = $0.removeValue(forKey: name) }
    }

    /// Deletes the volume at once for everyone who looks, however long the removal takes; a crash
    /// in between leaves something that the next call removes. No volume is no error.
    package func deleteVolume(_ name: String) async throws {
        _ = try usablePath(of: name)
        memories.withLock { _ = $0.removeValue(forKey: name) }
        try await removeLeftovers()
        let doomed = "\(volumes)/\(doomedPrefix)\(name)"
        do { try Directories.rename("\(volumes)/\(name)", to: doomed) } catch {
            guard let error = error as? GodwitError, error.code == .notFound else { throw error }
            return
        }
        try await Rm.tree(doomed).check()
    }

    package func used(by volume: String) async throws -> ByteCount {
        try await TreeUse.bytes(below: usablePath(of: volume))
    }

    package func facts() async throws -> PoolFacts {
        try Directories.make(root, mode: 0o711)
        let filesystem = try FilesystemFacts.of(root)
        return PoolFacts(
            name: name, driver: driver, filesystem: filesystem.type,
            available: filesystem.available)
    }

    private func removeLeftovers() async throws {
        for name in try Directories.names(in: volumes) where name.hasPrefix(doomedPrefix) {
            try await Rm.tree("\(volumes)/\(name)").check()
        }
    }

    /// For names that a peer or an operator may have made up.
    func usablePath(of volume: String) throws -> String {
        guard Self.isUsable(volume) else {
            throw GodwitError(
                .badRequest, "\"\(volume.prefix(80))\" is no name for a volume",
                remedy: "use 1 to 200 letters, digits, dashes, dots and underscores, no dot first")
        }
        return path(of: volume)
    }

    static func isUsable(_ name: String) -> Bool {
        let isPlain = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                || (0x61...0x7a).contains(byte) || [0x2d, 0x2e, 0x5f].contains(byte)
        }
        return isPlain && (1...200).contains(name.utf8.count) && !name.hasPrefix(".")
    }
}

/// What a volume is called while it is being removed.
private let doomedPrefix = ".deleting-"

/// What a pool remembers of a volume between the passes; all of it may be lost and only costs time.
struct VolumeMemory: Sendable {
    /// Before the earliest first pass began.
    var firstPass: FileTime?
    var digest: TreeDigest?
    var ahead: CopyAhead?
    /// The snapshot of which a copy waits to become the volume.
    var back: String?
    /// The other half has the files of a snapshot of it: sizes and times prove nothing.
    var hasSentSnapshot = false
}

/// A copy for a snapshot that is to come, and before when it began.
struct CopyAhead: Equatable, Sendable {
    let snapshot: String
    let start: FileTime
}
