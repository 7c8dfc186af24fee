import LinuxHost
import MigrationCore
import Synchronization

/// Snapshots as whole copies beside the volume. What begins with a dot there is no snapshot: it is
/// half of one, or what is being removed.
extension DirectoryPool: SnapshotCopying {
    package var snapshotsAtOnce: Bool { false }

    /// - Precondition: names that could be a volume's and a snapshot's here.
    package func path(of snapshot: String, in volume: String) -> String {
        "\(layout.place(of: snapshot, in: volume))/rootfs"
    }

    package func snapshots(of volume: String) async throws -> Set<String> {
        _ = try layout.usablePath(of: volume)
        return Set(
            try Directories.names(in: layout.shelf(of: volume)).filter(VolumeLayout.isUsable))
    }

    package func createSnapshot(_ snapshot: String, of volume: String) async throws {
        try await createSnapshot(snapshot, of: volume, mapped: [])
    }

    package func copyAhead(_ snapshot: String, of volume: String) async throws {
        let root = try await requireNew(snapshot, of: volume)
        let half = half(of: snapshot, in: volume)
        try await removeLeftovers(of: volume)
        try Directories.make(layout.shelf(of: volume), mode: 0o700)
        try await TreeCopy.requireRoom(for: root, at: layout.shelf(of: volume))
        try Directories.make(half, mode: 0o700)
        try Directories.make("\(half)/rootfs", mode: 0o700)
        try await TreeCopy.ahead("\(half)/rootfs", of: root) { state in
            memories.withLock {
                $0[volume, default: VolumeMemory()].ahead = CopyAhead(
                    snapshot: snapshot, state: state)
            }
        }
        try await FilesystemFacts.flush(at: half)
    }

    package func createSnapshot(
        _ snapshot: String, of volume: String, mapped: Set<String>
    ) async throws {
        let root = try await requireNew(snapshot, of: volume)
        let half = half(of: snapshot, in: volume)
        let ahead = memories.withLock { memories in
            defer { memories[volume]?.ahead = nil }
            return memories[volume]?.ahead
        }
        if let ahead, ahead.snapshot == snapshot {
            try await TreeCopy.update(
                "\(half)/rootfs", to: root, from: ahead.state, mapped: mapped, isStill: true)
        } else {
            try await removeLeftovers(of: volume)
            try Directories.make(layout.shelf(of: volume), mode: 0o700)
            try Directories.make(half, mode: 0o700)
            try await TreeCopy.make(of: root, at: "\(half)/rootfs")
        }
        try Directories.rename(half, to: layout.place(of: snapshot, in: volume))
    }

    package func flushSnapshot(_ snapshot: String, of volume: String) async throws {
        _ = try layout.usablePlace(of: snapshot, in: volume)
        try await FilesystemFacts.flush(at: layout.shelf(of: volume))
    }

    package func deleteSnapshot(_ snapshot: String, of volume: String) async throws {
        let folder = try layout.usablePlace(of: snapshot, in: volume)
        memories.withLock { $0[volume]?.ahead = nil }
        try await removeLeftovers(of: volume)
        do { try Directories.rename(folder, to: layout.shelf(of: volume) + "/.deleting") } catch {
            guard let error = error as? GodwitError, error.code == .notFound else { throw error }
            return
        }
        try await removeLeftovers(of: volume)
    }

    package func copyBack(_ snapshot: String, of volume: String) async throws {
        let tree = "\(try layout.usablePlace(of: snapshot, in: volume))/rootfs"
        guard try FileStatus.of(tree)?.kind == .directory else {
            throw GodwitError(
                .notFound, "the volume \(volume) has no snapshot \(snapshot)",
                remedy: "see `godwit info \(volume)`")
        }
        try await removeLeftovers(of: volume)
        let copy = restoring(volume)
        do {
            try await TreeCopy.make(of: tree, at: copy)
            try await FilesystemFacts.flush(at: copy)
        } catch {
            _ = try? await Rm.tree(copy).check()
            throw error
        }
        memories.withLock { $0[volume, default: VolumeMemory()].back = snapshot }
    }

    /// The volume is one tree or the other whenever it ends: a copy takes its place in one step.
    package func restoreSnapshot(_ snapshot: String, of volume: String) async throws {
        _ = try layout.usablePlace(of: snapshot, in: volume)
        if memories.withLock({ $0[volume]?.back }) != snapshot {
            try await copyBack(snapshot, of: volume)
        }
        let root = try layout.usablePath(of: volume)
        try Directories.exchange(restoring(volume), with: root)
        forget(volume)
        // What cannot be removed now is by the next call.
        try? await removeLeftovers(of: volume)
    }
}

extension DirectoryPool {
    private func half(of snapshot: String, in volume: String) -> String {
        "\(layout.shelf(of: volume))/.making-\(snapshot)"
    }

    /// - Returns: the volume's tree.
    private func requireNew(_ snapshot: String, of volume: String) async throws -> String {
        let folder = try layout.usablePlace(of: snapshot, in: volume)
        guard await hasVolume(volume) else {
            throw GodwitError(.notFound, "the pool has no volume \(volume)")
        }
        guard try FileStatus.of(folder) == nil else {
            throw GodwitError(
                .nameTaken, "the volume \(volume) has a snapshot \(snapshot) already",
                remedy: "delete it, or choose another name")
        }
        return path(of: volume)
    }

    private func restoring(_ volume: String) -> String { layout.shelf(of: volume) + "/.restoring" }

    private func removeLeftovers(of volume: String) async throws {
        memories.withLock { $0[volume]?.back = nil }
        for name in try Directories.names(in: layout.shelf(of: volume)) where name.hasPrefix(".") {
            try await Rm.tree("\(layout.shelf(of: volume))/\(name)").check()
        }
    }
}
