import LinuxHost
package import MigrationCore
import Synchronization

/// Besides the volume itself, which the method rsync needs, the snapshot of the first pass is kept
/// on both sides, `base-HEX` in the volume's place: the next move builds upon it.
extension BtrfsPool: BaseKeeping {
    package func keepVolume(_ volume: String, as copy: String) async throws {
        if layout.has(volume) {
            try await keep(memories.withLock { $0[volume]?.first }, asBaseOf: volume)
            try await removePasses(of: volume)
        }
        try layout.keep(volume, as: copy)
        passes.forget(volume)
        memories.withLock { $0[volume] = nil }
    }

    package func takeKept(_ copy: String, as volume: String) async throws -> String {
        try layout.take(kept: copy, as: volume)
    }

    package func removeKept(_ copy: String) async throws {
        _ = try layout.doom(kept: copy)
        try await removeKeptLeftovers()
    }

    package func keptCopies() async throws -> Set<String> {
        try await removeKeptLeftovers()
        return try layout.keptCopies()
    }

    package func begin(_ volume: String, upon start: VolumeStart) async {
        passes.begin(volume, since: layout.moment(of: start, for: volume))
    }

    package func noteArrival(of volume: String, digest: String) async throws {
        try layout.noteArrival(of: volume, digest: digest)
    }

    package func hasBase(by method: VolumeMethod) -> Bool { method == .btrfs }

    package func keepBase(of volume: String) async throws {
        _ = try layout.usablePath(of: volume)
        try await keep(memories.withLock { $0[volume]?.arrived }, asBaseOf: volume)
    }

    package func removeBase(of volume: String) async throws {
        _ = try layout.usablePath(of: volume)
        try await keep(nil, asBaseOf: volume, replacing: true)
    }

    /// Gives the snapshot another name, which no clean-up of a move removes.
    ///
    /// - Parameters:
    ///   - path: nil after a restart: then an earlier base stays, which both may have still.
    ///   - isReplaced: whether an earlier base goes even so.
    private func keep(
        _ path: String?, asBaseOf volume: String, replacing isReplaced: Bool = false
    ) async throws {
        guard path != nil || isReplaced else { return }
        let place = layout.place(of: volume)
        try await blocking {
            for name in try Directories.names(in: place)
            where name.hasPrefix(PassNote.basePrefix) {
                try Subvolume.remove("\(place)/\(name)")
            }
            guard let path, let hex = path.split(separator: "-").last else { return }
            // Within its directory: what is read-only cannot be moved to another.
            try Directories.rename(path, to: "\(place)/\(PassNote.basePrefix)\(hex)")
        }
    }

    private func removeKeptLeftovers() async throws {
        for path in try layout.keptLeftovers() { try await Self.remove(place: path) }
    }
}
