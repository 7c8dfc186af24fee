import LinuxHost
package import MigrationCore
import Synchronization

/// Volumes as subvolumes of a btrfs, sent as snapshots.
///
///     ROOT 0711 / volumes 0711 / NAME 0711 / rootfs          the subvolume
///                                          / pass-HEX        read-only, of a move under way
///                                          / base-HEX        read-only, for the next move
///                                          / snapshots 0700 / SNAPSHOT
package final class BtrfsPool: PoolDriver {
    package let driver = "btrfs"
    package let methods: [VolumeMethod] = [.btrfs, .rsync]
    let layout: VolumeLayout
    let passes = TreePasses()
    let memories = Mutex<[String: PassMemory]>([:])

    /// - Parameter path: of a directory in a mounted btrfs.
    init(name: String, path: String) { layout = VolumeLayout(pool: name, root: path) }

    /// - Throws: `nameTaken` if there is such a volume and it is not empty.
    package func createVolume(_ name: String) async throws -> String {
        let path = try layout.usablePath(of: name)
        try await removeLeftovers()
        try layout.makePlace(of: name)
        try await blocking { [layout] in
            if try FileStatus.of(path) == nil {
                try Subvolume.create(path)
                try Directories.setMode(0o755, of: path)
            }
            guard try Directories.names(in: path).isEmpty else { throw layout.taken(name) }
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

    /// Deletes the volume and its snapshots at once for everyone who looks. No volume is no error.
    package func deleteVolume(_ name: String) async throws {
        _ = try layout.usablePath(of: name)
        passes.forget(name)
        memories.withLock { _ = $0.removeValue(forKey: name) }
        try await removeLeftovers()
        if let doomed = try layout.doom(name) { try await Self.remove(place: doomed) }
    }

    package func used(by volume: String) async throws -> ByteCount {
        try await TreeUse.bytes(below: layout.usablePath(of: volume))
    }

    /// - Throws: `notFound` if its filesystem is not mounted (any more).
    package func facts() async throws -> PoolFacts {
        let facts = try layout.facts(driver: driver)
        guard facts.filesystem == "btrfs" else {
            throw GodwitError(
                .notFound, "the btrfs of pool \(layout.pool) is not mounted at \(layout.root)",
                remedy: "mount it there, or start the daemon again")
        }
        return facts
    }

    /// What deletions, and the moves of a daemon that was killed, have left.
    func removeAllLeftovers() async throws {
        try await removeLeftovers()
        for name in try Directories.names(in: layout.volumes) { try await removePasses(of: name) }
    }

    /// The snapshots of a move.
    func removePasses(of volume: String) async throws {
        let place = layout.place(of: volume)
        try await blocking {
            for name in try Directories.names(in: place) where name.hasPrefix(PassNote.prefix) {
                try Subvolume.remove("\(place)/\(name)")
            }
        }
    }

    /// Puts what a snapshot holds in the place of the volume, in one step.
    ///
    /// - Parameter modified: when its root was changed, where the snapshot does not know.
    func put(_ snapshot: String, inPlaceOf volume: String, modified: FileTime? = nil) throws {
        let fresh = "\(layout.place(of: volume))/\(PassNote.prefix)fresh"
        try Subvolume.remove(fresh)
        try Subvolume.snapshot(snapshot, to: fresh, isReadOnly: false)
        if let modified { try Directories.setModified(modified, of: fresh) }
        try Directories.exchange(fresh, with: layout.path(of: volume))
        try Subvolume.remove(fresh)
    }

    /// - Throws: `badRequest` if subvolumes lie in it: a snapshot would lack them.
    func snapshot(_ volume: String, to path: String) throws -> Subvolume {
        let root = layout.path(of: volume)
        guard try !Subvolume.holdsOthers(root) else {
            throw GodwitError(
                .badRequest, "subvolumes lie in the volume \(volume), which a snapshot would lack",
                remedy: "see `btrfs subvolume list -o \(root)`, and make directories of them")
        }
        try Subvolume.snapshot(root, to: path, isReadOnly: true)
        guard let made = try Subvolume.at(path) else {
            throw GodwitError(.internalFault, "the snapshot \(path) has gone")
        }
        return made
    }

    private func removeLeftovers() async throws {
        for path in try layout.leftovers() { try await Self.remove(place: path) }
    }

    static func remove(place: String) async throws {
        try await blocking {
            for directory in [place, "\(place)/snapshots"] {
                for name in try Directories.names(in: directory) {
                    try Subvolume.remove("\(directory)/\(name)")
                }
            }
        }
        try await Rm.tree(place).check()
    }
}

/// A snapshot that travels, or that others build upon.
struct PassSnapshot: Sendable {
    let name: String
    let path: String
    let subvolume: Subvolume
}

/// What a pool remembers of a volume between the passes by btrfs.
struct PassMemory: Sendable {
    /// Where the snapshot of the last first pass is that the target has, whole.
    var first: String?
    /// Where the snapshot of the last first pass is that has arrived here.
    var arrived: String?
    /// The latest snapshot that the target has, whole.
    var sent: PassSnapshot?
    /// Made to see whether anything has changed, and not sent yet.
    var pending: PassSnapshot?
    /// The origin of what the volume here holds; nil while a delta changes it.
    var current: String?
    /// Where the snapshots that deltas build upon are, by origin.
    var bases: [String: String] = [:]
}
