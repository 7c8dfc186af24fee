import LinuxHost
package import MigrationCore

extension ZfsPool: VolumeSnapshotting {
    package var snapshotsAtOnce: Bool { true }

    package func createSnapshot(_ snapshot: String, of volume: String) async throws {
        _ = try layout.usablePlace(of: snapshot, in: volume)
        try names.require(volume)
        let found = try await survey(volume)
        guard found.head != nil else { throw unknown(volume) }
        guard found.kept[snapshot] == nil else {
            throw GodwitError(
                .nameTaken, "the volume \(volume) has a snapshot \(snapshot) already",
                remedy: "delete it, or choose another name")
        }
        guard found.kept.count < Limit.snapshotsPerVolume else {
            throw GodwitError(
                .limitExceeded, "the volume \(volume) has \(found.kept.count) snapshots",
                remedy: "delete some of them")
        }
        try await take(names.head(of: volume) + "@" + ZfsNames.kept + snapshot, of: volume)
    }

    /// What was written through mappings is with the filesystem before the snapshot is made.
    func take(_ name: String, of volume: String) async throws {
        try await FilesystemFacts.flush(at: layout.path(of: volume))
        try await tools.run(tools.zfs.snapshot(name))
    }

    package func deleteSnapshot(_ snapshot: String, of volume: String) async throws {
        _ = try layout.usablePlace(of: snapshot, in: volume)
        let found = try await survey(volume)
        guard let kept = found.kept[snapshot] else { return }
        try await removeView(of: snapshot, in: volume, found)
        do { try await tools.run(tools.zfs.destroy(kept.path)) } catch is GodwitError {
            // The volume was made of it. zfs-fuse has also been seen to fail with what it had done.
            if let left = try await survey(volume).kept[snapshot] {
                let dataset = "\(names.place(of: volume))/\(left.dataset)"
                try await tools.run(
                    tools.zfs.rename(left.path, to: "\(dataset)@\(ZfsNames.newGone())"))
            }
        }
        try await removeGone(of: volume)
    }

    /// Snapshots and datasets that nothing is made of any more, each of which may free another.
    private func removeGone(of volume: String) async throws {
        var count = Int.max
        while true {
            let found = try await survey(volume)
            let gone = found.snapshots.filter { $0.name.hasPrefix(ZfsNames.gone) }
            let left = gone.count + found.datasets(ZfsNames.old).count
            guard left > 0, left < count else { return }
            count = left
            for snapshot in gone { try? await tools.run(tools.zfs.destroy(snapshot.path)) }
            try await removeOld(found, of: volume)
        }
    }

    /// The volume becomes a dataset made of the snapshot: its other snapshots stay with the one
    /// that it was.
    package func restoreSnapshot(_ snapshot: String, of volume: String) async throws {
        _ = try layout.usablePlace(of: snapshot, in: volume)
        let found = try await survey(volume)
        guard let kept = found.kept[snapshot] else { throw unknown(snapshot, of: volume) }
        try await forgetBrokenPass(of: volume)
        try await removeViews(found, of: volume)
        let fresh = names.fresh(of: volume)
        do {
            try await tools.run(tools.zfs.clone(kept.path, to: fresh, Self.mountable))
            try await put(fresh, inPlaceOf: volume)
        } catch {
            await afterFailure { [self] in try await settle(volume) }
            throw error
        }
    }

    package func snapshots(of volume: String) async throws -> Set<String> {
        _ = try layout.usablePath(of: volume)
        return Set(try await survey(volume).kept.keys)
    }

    /// Mounts a dataset that is made of the snapshot, which stays until the snapshot or the volume
    /// is changed, or the daemon starts again.
    package func path(of snapshot: String, in volume: String) async throws -> String {
        let path = try layout.usablePlace(of: snapshot, in: volume)
        let view = names.view(of: snapshot, in: volume)
        if try MountedFilesystem.at(path)?.device == view { return path }
        let found = try await survey(volume)
        guard let kept = found.kept[snapshot] else { throw unknown(snapshot, of: volume) }
        try Directories.make(layout.shelf(of: volume), mode: 0o700)
        try Directories.make(path, mode: 0o700)
        if !found.datasets.contains(where: { $0.path == view }) {
            // Not read-only: then zfs-fuse would tell of no attributes as soon as it was asked for
            // those of a file that has none.
            let properties = Self.mountable + ["mountpoint=\(path)"]
            try await tools.run(tools.zfs.clone(kept.path, to: view, properties))
        }
        try await mount(view, at: path)
        return path
    }

    func removeViews(_ found: ZfsVolume, of volume: String) async throws {
        for view in found.datasets(ZfsNames.view) {
            let snapshot = String(view.name.dropFirst(ZfsNames.view.count))
            guard VolumeLayout.isUsable(snapshot) else { continue }
            try await removeView(of: snapshot, in: volume, found)
        }
    }

    private func removeView(
        of snapshot: String, in volume: String, _ found: ZfsVolume
    ) async throws {
        let path = layout.place(of: snapshot, in: volume)
        let view = names.view(of: snapshot, in: volume)
        guard found.datasets.contains(where: { $0.path == view }) else { return }
        try await unmount(view, at: path)
        try await tools.run(tools.zfs.destroyAll(view))
        try Directories.removeEmpty(path)
        if try Directories.names(in: layout.shelf(of: volume)).isEmpty {
            try Directories.removeEmpty(layout.shelf(of: volume))
        }
    }

    private func unknown(_ snapshot: String, of volume: String) -> GodwitError {
        GodwitError(
            .notFound, "the volume \(volume) has no snapshot \(snapshot)",
            remedy: "see `godwit info`")
    }
}

extension ZfsPool: SnapshotSending {
    package func sendSnapshot(
        _ snapshot: String, of volume: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let tree = try await telling(stream) { try await path(of: snapshot, in: volume) }
        try await passes.sendSnapshot(of: volume, at: tree, over: stream, progress: progress)
    }

    package func digest(ofSnapshot snapshot: String, of volume: String) async throws -> String {
        try await TreeDigest().digest(of: path(of: snapshot, in: volume))
    }

    package func used(bySnapshotsOf volume: String) async throws -> ByteCount {
        _ = try layout.usablePath(of: volume)
        return try await survey(volume).kept.values.reduce(ByteCount.zero) { $0 + $1.referenced }
    }
}
