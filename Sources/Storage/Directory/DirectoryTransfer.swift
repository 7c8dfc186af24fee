import LinuxHost
package import MigrationCore

extension DirectoryPool: VolumeSending {
    package func sendWhileRunning(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await passes.sendWhileRunning(
            volume, at: layout.usablePath(of: volume), over: stream, progress: progress)
    }

    package func sendAgain(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await passes.sendAgain(
            volume, at: layout.usablePath(of: volume), over: stream, progress: progress)
    }

    package func hasChanged(_ volume: String, mapped: Set<String>) async throws -> Bool {
        try await passes.hasChanged(volume, at: layout.usablePath(of: volume), mapped: mapped)
    }

    package func sendAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await passes.sendAfterCheckpoint(
            volume, at: layout.usablePath(of: volume), mapped: mapped, over: stream,
            progress: progress)
    }

    package func cleanUpAfterSending(_ volume: String) async throws {
        passes.cleanUpAfterSending(volume)
    }
}

extension DirectoryPool: SnapshotSending {
    package func sendSnapshot(
        _ snapshot: String, of volume: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await passes.sendSnapshot(
            of: volume, at: path(of: snapshot, in: volume), over: stream, progress: progress)
    }

    package func digest(ofSnapshot snapshot: String, of volume: String) async throws -> String {
        try await TreeDigest().digest(of: path(of: snapshot, in: volume))
    }

    package func used(bySnapshotsOf volume: String) async throws -> ByteCount {
        let trees = try await snapshots(of: volume).map { path(of: $0, in: volume) }
        return try await TreePasses.used(by: trees)
    }
}

extension DirectoryPool: VolumeReceiving {
    package func receiveWhileRunning(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        try await receiveAgain(volume, by: method, from: stream)
    }

    package func receiveAgain(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        try await RsyncTransfer.receive(
            into: layout.usablePath(of: volume), through: passes.ids.view(of: volume),
            tolerant: true, from: stream)
    }

    package func receiveAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        try await RsyncTransfer.receive(
            into: layout.usablePath(of: volume), through: passes.ids.view(of: volume),
            tolerant: false, from: stream)
    }

    /// rsync removes what it began, and the rest belongs to the volume.
    package func cleanUpAfterReceiving(_ volume: String) async throws {
        _ = try layout.usablePath(of: volume)
        passes.ids.forget(volume)
    }
}

extension DirectoryPool: VolumeDigesting {
    package func digest(of volume: String, mapped: Set<String>) async throws -> String {
        try await passes.digest(
            of: volume, at: layout.usablePath(of: volume), mapped: mapped)
    }

    package func forgetDigest(of volume: String) async { passes.forgetDigest(of: volume) }
}

extension DirectoryPool: VolumeIDChanging {
    package func expectIDs(_ change: IDChange, in volume: String) async throws {
        try await passes.ids.expect(change, in: volume, at: layout.usablePath(of: volume))
    }

    package func settleIDs(of volume: String) async throws {
        try await passes.ids.settle(volume, at: layout.usablePath(of: volume))
    }
}
