import LinuxHost
package import MigrationCore

extension OverlayPool: VolumeSending {
    package func sendWhileRunning(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        guard method == .overlay else {
            let root = try await telling(stream) { try tree(of: volume) }
            return try await passes.sendWhileRunning(
                volume, at: root, over: stream, progress: progress)
        }
        let (missing, first) = try await telling(stream) {
            _ = try tree(of: volume)
            var frames = SessionFrameReader(stream)
            let layers = try changes(of: volume).layers
            return (try await OverlayNote.offer(layers, over: stream, &frames), frames)
        }
        let total = SentTotal(progress)
        var frames = first
        for layer in missing {
            frames = try await RsyncTransfer.sendPart(
                shelf.path(of: layer), distrusting: [], tolerant: false, over: stream,
                after: frames, isLast: false, progress: total.next()
            ).rest
        }
        try await passes.sendWhileRunning(
            volume, at: changes(of: volume).upper, over: stream, frames: frames,
            progress: total.next())
    }

    package func sendAgain(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let root = try await telling(stream) { try tree(of: volume) }
        try await passes.sendAgain(
            volume, at: root, changes: changedPart(of: volume), over: stream, progress: progress)
    }

    /// All that can have changed is among the volume's own changes: removals are marked there.
    package func hasChanged(_ volume: String, mapped: Set<String>) async throws -> Bool {
        _ = try tree(of: volume)
        return try await passes.hasChanged(
            volume, at: changes(of: volume).upper, mapped: mapped)
    }

    /// The whole tree is brought up to date: what the target has started ahead holds a mount of its
    /// own, below which nothing may change.
    package func sendAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let root = try await telling(stream) { try tree(of: volume) }
        try await passes.sendAfterCheckpoint(
            volume, at: root, changes: changedPart(of: volume), mapped: mapped, over: stream,
            progress: progress)
    }

    package func cleanUpAfterSending(_ volume: String) async throws {
        passes.cleanUpAfterSending(volume)
    }

    private func changedPart(of volume: String) throws -> ChangedPart {
        let stack = changes(of: volume)
        return ChangedPart(root: stack.upper, layers: try stack.layers.map(shelf.path))
    }
}

extension OverlayPool: SnapshotSending {
    /// As a whole tree, whatever layers the target has.
    package func sendSnapshot(
        _ snapshot: String, of volume: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let root = try await telling(stream) { try tree(of: snapshot, in: volume) }
        try await passes.sendSnapshot(of: volume, at: root, over: stream, progress: progress)
    }

    package func digest(ofSnapshot snapshot: String, of volume: String) async throws -> String {
        try await TreeDigest().digest(of: tree(of: snapshot, in: volume))
    }

    package func used(bySnapshotsOf volume: String) async throws -> ByteCount {
        let trees = try await snapshots(of: volume).map { try tree(of: $0, in: volume) }
        return try await TreePasses.used(by: trees)
    }
}

extension OverlayPool: VolumeDigesting {
    package func digest(of volume: String, mapped: Set<String>) async throws -> String {
        try await passes.digest(of: volume, at: tree(of: volume), mapped: mapped)
    }

    package func forgetDigest(of volume: String) async { passes.forgetDigest(of: volume) }
}
