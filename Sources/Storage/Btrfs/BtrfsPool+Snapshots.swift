import LinuxHost
package import MigrationCore
import Synchronization

extension BtrfsPool: VolumeSnapshotting {
    package var snapshotsAtOnce: Bool { true }

    package func createSnapshot(_ snapshot: String, of volume: String) async throws {
        let path = try layout.usablePlace(of: snapshot, in: volume)
        guard layout.has(volume) else {
            throw GodwitError(
                .notFound, "the pool \(layout.pool) has no volume \(volume)",
                remedy: "see `godwit list`")
        }
        let directory = Directories.parent(of: path)
        try await blocking { [self] in
            try Directories.make(directory, mode: 0o700)
            let names = try Directories.names(in: directory)
            guard !names.contains(snapshot) else {
                throw GodwitError(
                    .nameTaken, "the volume \(volume) has a snapshot \(snapshot) already",
                    remedy: "delete it, or choose another name")
            }
            guard names.count < Limit.snapshotsPerVolume else {
                throw GodwitError(
                    .limitExceeded, "the volume \(volume) has \(names.count) snapshots",
                    remedy: "delete some of them")
            }
            _ = try self.snapshot(volume, to: path)
        }
    }

    package func deleteSnapshot(_ snapshot: String, of volume: String) async throws {
        let path = try layout.usablePlace(of: snapshot, in: volume)
        try await blocking { try Subvolume.remove(path) }
    }

    package func restoreSnapshot(_ snapshot: String, of volume: String) async throws {
        let path = try layout.usablePlace(of: snapshot, in: volume)
        try await blocking { [self] in
            guard try Subvolume.at(path) != nil else {
                throw GodwitError(
                    .notFound, "the volume \(volume) has no snapshot \(snapshot)",
                    remedy: "see `godwit info`")
            }
            try put(path, inPlaceOf: volume)
        }
        passes.forget(volume)
        // Nothing tells any more what has changed since a pass.
        memories.withLock { $0[volume] = nil }
    }

    package func snapshots(of volume: String) async throws -> Set<String> {
        _ = try layout.usablePath(of: volume)
        return Set(try Directories.names(in: layout.shelf(of: volume)))
    }

    package func path(of snapshot: String, in volume: String) -> String {
        layout.place(of: snapshot, in: volume)
    }
}

extension BtrfsPool: SnapshotSending {
    package func sendSnapshot(
        _ snapshot: String, of volume: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await passes.sendSnapshot(
            of: volume, at: layout.usablePlace(of: snapshot, in: volume), over: stream,
            progress: progress)
    }

    package func digest(ofSnapshot snapshot: String, of volume: String) async throws -> String {
        try await TreeDigest().digest(of: layout.usablePlace(of: snapshot, in: volume))
    }

    package func used(bySnapshotsOf volume: String) async throws -> ByteCount {
        let trees = try await snapshots(of: volume).map { path(of: $0, in: volume) }
        return try await TreePasses.used(by: trees)
    }
}
