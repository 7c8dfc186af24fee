import LinuxHost
package import MigrationCore
import Synchronization

/// Volumes as plain directories of any filesystem, sent by rsync.
///
/// Snapshots are beside them, and nobody's but root's: `snapshots` 0700 / SNAP 0700 / rootfs.
package final class DirectoryPool: PoolDriver {
    package let driver = "directory"
    package let methods: [VolumeMethod] = [.rsync]
    let layout: VolumeLayout
    let passes = TreePasses()
    let memories = Mutex<[String: VolumeMemory]>([:])

    /// - Parameter path: absolute; made at the first volume if it is missing.
    package init(name: String, path: String) {
        layout = VolumeLayout(pool: name, root: path)
    }

    /// - Throws: `nameTaken` if there is such a volume and it is not empty.
    package func createVolume(_ name: String) async throws -> String {
        let path = try layout.usablePath(of: name)
        try await removeLeftovers()
        try layout.makePlace(of: name)
        guard try Directories.make(path, mode: 0o755) || Directories.names(in: path).isEmpty else {
            throw layout.taken(name)
        }
        return path
    }

    /// - Precondition: a name that could be one of a volume here.
    package func path(of volume: String) -> String { layout.path(of: volume) }
    package func hasVolume(_ name: String) async -> Bool { layout.has(name) }

    /// - Throws: `nameTaken`, `notFound`; done already is no error.
    package func renameVolume(_ name: String, to newName: String) async throws {
        try layout.rename(name, to: newName)
        passes.rename(name, to: newName)
        memories.withLock { $0[newName] = $0.removeValue(forKey: name) }
    }

    /// Deletes the volume at once for everyone who looks, however long the removal takes; a crash
    /// in between leaves something that the next call removes. No volume is no error.
    package func deleteVolume(_ name: String) async throws {
        _ = try layout.usablePath(of: name)
        forget(name)
        try await removeLeftovers()
        guard let doomed = try layout.doom(name) else { return }
        try await Rm.tree(doomed).check()
    }

    package func used(by volume: String) async throws -> ByteCount {
        try await TreeUse.bytes(below: layout.usablePath(of: volume))
    }

    package func facts() async throws -> PoolFacts {
        try Directories.make(layout.root, mode: 0o711)
        return try layout.facts(driver: driver)
    }

    func forget(_ volume: String) {
        passes.forget(volume)
        memories.withLock { _ = $0.removeValue(forKey: volume) }
    }

    private func removeLeftovers() async throws {
        for path in try layout.leftovers() { try await Rm.tree(path).check() }
    }
}

/// What a pool remembers of a volume's snapshots; all of it may be lost and only costs time.
struct VolumeMemory: Sendable {
    var ahead: CopyAhead?
    /// The snapshot of which a copy waits to become the volume.
    var back: String?
}

/// A copy for a snapshot that is to come, and before when it began.
struct CopyAhead: Equatable, Sendable {
    let snapshot: String
    let state: CopyState
}
