import LinuxHost
import MigrationCore
import Synchronization

/// Snapshots as copies of a volume's changes, over the same layers. What begins with a dot there is
/// no snapshot: it is half of one, or what is being removed.
extension OverlayPool: SnapshotCopying {
    package var snapshotsAtOnce: Bool { false }

    /// - Precondition: names that could be a volume's and a snapshot's here.
    package func path(of snapshot: String, in volume: String) -> String {
        "\(layout.place(of: snapshot, in: volume))/rootfs"
    }

    /// The tree of a snapshot, all of it.
    func tree(of snapshot: String, in volume: String) throws -> String {
        _ = try layout.usablePlace(of: snapshot, in: volume)
        let root = path(of: snapshot, in: volume)
        guard try MountedFilesystem.at(root)?.type == "overlay" else {
            throw GodwitError(
                .notFound, "the snapshot \(snapshot) of \(volume) is not mounted at \(root)",
                remedy: "start the daemon again, which mounts it")
        }
        return root
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
        let half = try await makeHalf(of: snapshot, in: volume)
        let upper = changes(of: volume).upper
        try await TreeCopy.ahead(half.upper, of: upper) { state in
            memories.withLock {
                $0[volume, default: VolumeMemory()].ahead = CopyAhead(
                    snapshot: snapshot, state: state)
            }
        }
        try await FilesystemFacts.flush(at: half.directory)
    }

    package func createSnapshot(
        _ snapshot: String, of volume: String, mapped: Set<String>
    ) async throws {
        let ahead = memories.withLock { memories in
            defer { memories[volume]?.ahead = nil }
            return memories[volume]?.ahead
        }
        let upper = changes(of: volume).upper
        let half: LayerStack
        if let ahead, ahead.snapshot == snapshot {
            try requireNew(snapshot, of: volume)
            half = self.half(of: snapshot, in: volume)
            try await TreeCopy.update(
                half.upper, to: upper, from: ahead.state, mapped: mapped, isStill: true)
        } else {
            half = try await makeHalf(of: snapshot, in: volume)
            try await TreeCopy.make(of: upper, at: half.upper)
        }
        try half.write(changes(of: volume).layers)
        try Directories.rename(half.directory, to: layout.place(of: snapshot, in: volume))
        try await mount(snapshot, of: volume)
    }

    package func flushSnapshot(_ snapshot: String, of volume: String) async throws {
        _ = try layout.usablePlace(of: snapshot, in: volume)
        try await FilesystemFacts.flush(at: layout.shelf(of: volume))
    }

    package func deleteSnapshot(_ snapshot: String, of volume: String) async throws {
        let folder = try layout.usablePlace(of: snapshot, in: volume)
        memories.withLock { $0[volume]?.ahead = nil }
        try await removeLeftovers(of: volume)
        try await MountedFilesystem.detachAll(below: folder)
        do { try Directories.rename(folder, to: layout.shelf(of: volume) + "/.deleting") } catch {
            guard let error = error as? GodwitError, error.code == .notFound else { throw error }
            return
        }
        try await removeLeftovers(of: volume)
        try await sweep()
    }

    package func copyBack(_ snapshot: String, of volume: String) async throws {
        let kept = LayerStack(directory: try layout.usablePlace(of: snapshot, in: volume))
        guard try kept.isThere else {
            throw GodwitError(
                .notFound, "the volume \(volume) has no snapshot \(snapshot)",
                remedy: "see `godwit info \(volume)`")
        }
        try await removeLeftovers(of: volume)
        let copy = restoring(volume)
        do {
            try copy.make(over: kept.layers)
            try await TreeCopy.make(of: kept.upper, at: copy.upper)
            try await FilesystemFacts.flush(at: copy.directory)
        } catch {
            _ = try? await Rm.tree(copy.directory).check()
            throw error
        }
        memories.withLock { $0[volume, default: VolumeMemory()].back = snapshot }
    }

    /// The volume is one tree or the other whenever it ends: changes and what they lie over take
    /// their place in one step.
    package func restoreSnapshot(_ snapshot: String, of volume: String) async throws {
        _ = try layout.usablePlace(of: snapshot, in: volume)
        if memories.withLock({ $0[volume]?.back }) != snapshot {
            try await copyBack(snapshot, of: volume)
        }
        try await unmount(volume)
        do {
            try Directories.exchange(
                restoring(volume).directory, with: changes(of: volume).directory)
        } catch {
            try? await mount(volume)
            throw error
        }
        try await mount(volume)
        forget(volume)
        // What cannot be removed now is by the next call.
        try? await removeLeftovers(of: volume)
        try? await sweep()
    }
}

extension OverlayPool {
    private func half(of snapshot: String, in volume: String) -> LayerStack {
        LayerStack(directory: "\(layout.shelf(of: volume))/.making-\(snapshot)")
    }

    private func restoring(_ volume: String) -> LayerStack {
        LayerStack(directory: layout.shelf(of: volume) + "/.restoring")
    }

    /// A place for a copy for which there is room.
    private func makeHalf(of snapshot: String, in volume: String) async throws -> LayerStack {
        try requireNew(snapshot, of: volume)
        try await removeLeftovers(of: volume)
        let shelf = layout.shelf(of: volume)
        try Directories.make(shelf, mode: 0o700)
        try await TreeCopy.requireRoom(for: changes(of: volume).upper, at: shelf)
        let half = half(of: snapshot, in: volume)
        try half.make(over: changes(of: volume).layers)
        try Directories.make("\(half.directory)/rootfs", mode: 0o711)
        return half
    }

    private func requireNew(_ snapshot: String, of volume: String) throws {
        let folder = try layout.usablePlace(of: snapshot, in: volume)
        guard layout.has(volume) else {
            throw GodwitError(.notFound, "the pool has no volume \(volume)")
        }
        _ = try tree(of: volume)
        guard try FileStatus.of(folder) == nil else {
            throw GodwitError(
                .nameTaken, "the volume \(volume) has a snapshot \(snapshot) already",
                remedy: "delete it, or choose another name")
        }
    }

    private func removeLeftovers(of volume: String) async throws {
        memories.withLock { $0[volume]?.back = nil }
        for name in try Directories.names(in: layout.shelf(of: volume)) where name.hasPrefix(".") {
            try await MountedFilesystem.detachAll(below: "\(layout.shelf(of: volume))/\(name)")
            try await Rm.tree("\(layout.shelf(of: volume))/\(name)").check()
        }
    }
}
