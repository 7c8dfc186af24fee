import LinuxHost
package import MigrationCore

/// Snapshots as thin snapshots, read-only and mounted beside the volume. What begins with a dot
/// there is no snapshot: it is half of one, or what is being removed.
extension LVMPool: VolumeSnapshotting {
    package var snapshotsAtOnce: Bool { true }

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
        let place = try layout.usablePlace(of: snapshot, in: volume)
        guard layout.has(volume), let origin = device(at: layout.place(of: volume)) else {
            throw missing(volume)
        }
        let known = try await snapshots(of: volume)
        guard !known.contains(snapshot) else {
            throw GodwitError(
                .nameTaken, "the volume \(volume) has a snapshot \(snapshot) already",
                remedy: "delete it, or choose another name")
        }
        guard known.count < Limit.snapshotsPerVolume else {
            throw GodwitError(
                .limitExceeded, "the volume \(volume) has \(known.count) snapshots",
                remedy: "delete some of them")
        }
        let half = "\(layout.shelf(of: volume))/.making-\(snapshot)"
        if try FileStatus.of(half) != nil { try await remove(place: half) }
        try Directories.make(layout.shelf(of: volume), mode: 0o700)
        try Directories.make(half, mode: 0o700)
        let fresh = ThinPool.newName()
        do {
            // First, so that it is no leftover from the moment on in which it is there.
            try Directories.relink(thin.path(of: fresh), at: "\(half)/device")
            try await thin.snapshot(fresh, of: origin, isReadOnly: true)
            try await mount(half, isSnapshot: true)
            try Directories.rename(half, to: place)
            try Directories.synchronize(layout.shelf(of: volume))
        } catch {
            try? await remove(place: half)
            throw error
        }
    }

    package func deleteSnapshot(_ snapshot: String, of volume: String) async throws {
        let place = try layout.usablePlace(of: snapshot, in: volume)
        let doomed = "\(layout.shelf(of: volume))/.deleting"
        if try FileStatus.of(doomed) != nil { try await remove(place: doomed) }
        do { try Directories.rename(place, to: doomed) } catch {
            guard let error = error as? GodwitError, error.code == .notFound else { throw error }
            return
        }
        try await remove(place: doomed)
    }

    package func restoreSnapshot(_ snapshot: String, of volume: String) async throws {
        let place = try layout.usablePlace(of: snapshot, in: volume)
        guard let origin = device(at: place) else {
            throw GodwitError(
                .notFound, "the volume \(volume) has no snapshot \(snapshot)",
                remedy: "see `godwit info \(volume)`")
        }
        let fresh = ThinPool.newName()
        do {
            try await thin.snapshot(fresh, of: origin, isReadOnly: false)
            try await put(fresh, inPlaceOf: volume)
        } catch {
            try? await thin.remove(fresh)
            throw error
        }
        // Nothing tells any more what has changed since a pass.
        passes.forget(volume)
    }
}

extension LVMPool: SnapshotSending {
    package func sendSnapshot(
        _ snapshot: String, of volume: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await mount(layout.usablePlace(of: snapshot, in: volume), isSnapshot: true)
        try await passes.sendSnapshot(
            of: volume, at: path(of: snapshot, in: volume), over: stream, progress: progress)
    }

    package func digest(ofSnapshot snapshot: String, of volume: String) async throws -> String {
        try await mount(layout.usablePlace(of: snapshot, in: volume), isSnapshot: true)
        return try await TreeDigest().digest(of: path(of: snapshot, in: volume))
    }

    package func used(bySnapshotsOf volume: String) async throws -> ByteCount {
        let trees = try await snapshots(of: volume).map { path(of: $0, in: volume) }
        return try await TreePasses.used(by: trees)
    }
}
