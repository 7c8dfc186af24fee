import LinuxHost
package import MigrationCore
import Synchronization

extension BtrfsPool: VolumeSending {
    package func sendWhileRunning(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let root = try layout.usablePath(of: volume)
        guard method == .btrfs else {
            return try await passes.sendWhileRunning(
                volume, at: root, over: stream, progress: progress)
        }
        let pass = try await telling(stream) {
            var frames = SessionFrameReader(stream)
            let target = try await PassNote.readFromTarget(&frames)
            let streams = min(await BtrfsTools.newestStream(), target.streams)
            let snapshot = try await passSnapshot(of: volume)
            let base = try await blocking { [self] in
                try parent(of: snapshot, in: volume, heldBy: target.snapshots)
            }
            return BtrfsPass(
                snapshot: snapshot, parent: base, isCompressed: streams >= 2, frames: frames)
        }
        try await send(pass, of: volume, over: stream, progress: progress)
        memories.withLock { $0[volume]?.first = pass.snapshot.path }
    }

    package func sendAgain(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        guard method != .btrfs else {
            let earlier = memories.withLock { $0[volume]?.sent }
            try await sendAfterCheckpoint(
                volume, by: method, mapped: [], over: stream, progress: progress)
            // The next delta builds upon this pass; the first one may be the base of the next move.
            let first = memories.withLock { $0[volume]?.first }
            guard let earlier, earlier.path != first else { return }
            return try await blocking { try Subvolume.remove(earlier.path) }
        }
        try await passes.sendAgain(
            volume, at: layout.usablePath(of: volume), over: stream, progress: progress)
    }

    /// What a pass by btrfs has taken is compared with a new snapshot, which is then sent:
    /// file by file, but only in those parts of the tree that are newer.
    package func hasChanged(_ volume: String, mapped: Set<String>) async throws -> Bool {
        let root = try layout.usablePath(of: volume)
        guard let sent = memories.withLock({ $0[volume]?.sent }) else {
            return try await passes.hasChanged(volume, at: root, mapped: mapped)
        }
        guard mapped.isEmpty else { return true }
        if let stale = takePending(of: volume) {
            try await blocking { try Subvolume.remove(stale.path) }
        }
        let snapshot = try await passSnapshot(of: volume)
        let hasChanged = try await blocking {
            let hasChanged = try Subvolume.hasChanged(
                snapshot.path, since: sent.subvolume.made)
            if !hasChanged { try Subvolume.remove(snapshot.path) }
            return hasChanged
        }
        if hasChanged { memories.withLock { $0[volume]?.pending = snapshot } }
        return hasChanged
    }

    package func sendAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let root = try layout.usablePath(of: volume)
        guard method == .btrfs else {
            return try await passes.sendAfterCheckpoint(
                volume, at: root, mapped: mapped, over: stream, progress: progress)
        }
        let pass = try await telling(stream) {
            guard let parent = memories.withLock({ $0[volume]?.sent }) else {
                throw GodwitError(
                    .internalFault, "a delta of \(volume) without a first pass",
                    remedy: "move the instance again")
            }
            let pending = takePending(of: volume)
            let snapshot = if let pending { pending } else { try await passSnapshot(of: volume) }
            return BtrfsPass(
                snapshot: snapshot, parent: parent, isCompressed: false,
                frames: SessionFrameReader(stream))
        }
        try await send(pass, of: volume, over: stream, progress: progress)
    }

    package func cleanUpAfterSending(_ volume: String) async throws {
        _ = try layout.usablePath(of: volume)
        passes.cleanUpAfterSending(volume)
        memories.withLock { $0[volume] = nil }
        try await removePasses(of: volume)
    }

    private func takePending(of volume: String) -> PassSnapshot? {
        memories.withLock { memories in
            defer { memories[volume]?.pending = nil }
            return memories[volume]?.pending
        }
    }

    private func passSnapshot(of volume: String) async throws -> PassSnapshot {
        let name = PassNote.newName()
        let path = "\(layout.place(of: volume))/\(name)"
        return try await blocking { [self] in
            PassSnapshot(name: name, path: path, subvolume: try snapshot(volume, to: path))
        }
    }

    /// The newest snapshot of the volume that both ends have.
    private func parent(
        of snapshot: PassSnapshot, in volume: String, heldBy target: [String]
    ) throws -> PassSnapshot? {
        let held = Set(target)
        return try snapshots(heldOf: volume)
            .filter { $0.name != snapshot.name && held.contains($0.subvolume.origin) }
            .max { $0.subvolume.made < $1.subvolume.made }
    }

    /// A snapshot that has not arrived whole is removed: no later pass can build upon it.
    private func send(
        _ pass: BtrfsPass, of volume: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        do {
            let tool = try await telling(stream) {
                try await SessionNote.write(pass.note(), to: stream)
                return try ConversingTool.start(
                    Btrfs.send(
                        pass.snapshot.path, parent: pass.parent?.path,
                        isCompressed: pass.isCompressed))
            }
            try await ToolSession(
                tool: tool, stream: stream, frames: pass.frames, noticesEnd: false,
                progress: { progress(TransferProgress(sent: $0)) },
                conclude: { Btrfs.failure($0, said: $1) }
            ).run()
        } catch {
            try? await blocking { try Subvolume.remove(pass.snapshot.path) }
            throw error
        }
        memories.withLock { $0[volume, default: PassMemory()].sent = pass.snapshot }
    }
}

extension BtrfsPool {
    /// Snapshots of the volume that are whole: those of moves, and those that are kept.
    func snapshots(heldOf volume: String) throws -> [PassSnapshot] {
        let place = layout.place(of: volume)
        let passes = try Directories.names(in: place).filter {
            $0.hasPrefix(PassNote.prefix) || $0.hasPrefix(PassNote.basePrefix)
        }
        let kept = try Directories.names(in: layout.shelf(of: volume)).map { "snapshots/\($0)" }
        return try (passes + kept).prefix(Limit.snapshotsPerVolume).compactMap { name in
            let path = "\(place)/\(name)"
            guard let subvolume = try Subvolume.at(path), subvolume.isReadOnly,
                try subvolume.isAsMade(at: path)
            else { return nil }
            return PassSnapshot(name: name, path: path, subvolume: subvolume)
        }
    }
}

/// One snapshot on its way.
private struct BtrfsPass: Sendable {
    let snapshot: PassSnapshot
    let parent: PassSnapshot?
    let isCompressed: Bool
    let frames: SessionFrameReader

    func note() throws -> PassNote.FromSource {
        guard let root = try FileStatus.of(snapshot.path) else {
            throw GodwitError(.notFound, "there is no snapshot \(snapshot.path)")
        }
        return PassNote.FromSource(
            name: snapshot.name, uuid: snapshot.subvolume.origin,
            parent: parent?.subvolume.origin, seconds: root.modified.seconds,
            nanoseconds: root.modified.nanoseconds)
    }
}

extension Subvolume {
    /// Whether it is what it was when it was made, however long ago: a base that somebody has
    /// written to in between would make a false volume. Of what was received only its own
    /// checksums tell, as its content is younger than itself.
    fileprivate func isAsMade(at path: String) throws -> Bool {
        guard received == nil else { return true }
        return try !Subvolume.hasChanged(path, since: made)
    }
}
