import LinuxHost
package import MigrationCore
import Synchronization

extension ZfsPool: VolumeReceiving {
    package func receiveWhileRunning(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        let root = try tree(of: volume)
        var frames = SessionFrameReader(stream)
        if method == .zfs {
            let arrival = try await telling(stream) {
                try await begin(volume, &frames, over: stream)
            }
            if let arrival {
                return try await receive(arrival, of: volume, from: stream, frames)
            }
        } else {
            try await telling(stream) { try await remove(partial(survey(volume))) }
        }
        try await RsyncTransfer.receive(
            into: root, through: passes.ids.view(of: volume), tolerant: true, from: stream,
            after: frames)
    }

    package func receiveAgain(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        try await RsyncTransfer.receive(
            into: tree(of: volume), through: passes.ids.view(of: volume), tolerant: true,
            from: stream)
    }

    package func receiveAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        try await RsyncTransfer.receive(
            into: tree(of: volume), through: passes.ids.view(of: volume), tolerant: false,
            from: stream)
    }

    package func cleanUpAfterReceiving(_ volume: String) async throws {
        _ = try layout.usablePath(of: volume)
        passes.ids.forget(volume)
        taken.withLock { _ = $0.remove(volume) }
        try await cleanUp(volume)
    }

    /// - Returns: the snapshot that will come, and into what; nil if rsync does.
    private func begin(
        _ volume: String, _ frames: inout SessionFrameReader, over stream: any ByteStream
    ) async throws -> ZfsArrival? {
        let found = try await survey(volume)
        let partial = try await partial(found)
        // zfs-fuse at times cannot receive what builds upon a dataset that was mounted.
        let isModern = await tools.isModern()
        let newest = isModern ? found.snapshots(of: ZfsNames.head).last?.guid : nil
        let takesWhole = found.kept.isEmpty && !taken.withLock { $0.contains(volume) }
        try await SessionNote.write(
            ZfsNote.FromTarget(
                newest: newest, takesWhole: takesWhole, isCompressed: isModern,
                token: takesWhole ? partial?.token : nil),
            to: stream)
        let note = try await ZfsNote.readFromSource(&frames)
        if note.snapshot?.isResumed != true { try await remove(partial) }
        guard let snapshot = note.snapshot else { return nil }
        if snapshot.isResumed == true {
            guard let partial, takesWhole, snapshot.base == nil else {
                throw SessionFrame.nonsense("the rest of what is not here")
            }
            return ZfsArrival(snapshot: snapshot, dataset: partial.path, isResumable: true)
        }
        guard snapshot.base == nil ? takesWhole : snapshot.base == newest else {
            throw SessionFrame.nonsense("a stream that builds upon what is not here")
        }
        let isWhole = snapshot.base == nil
        let isResumable = isWhole && isModern ? try await keepsPartial() : false
        return ZfsArrival(
            snapshot: snapshot,
            dataset: isWhole ? names.fresh(of: volume) : names.head(of: volume),
            isResumable: isResumable)
    }

    /// What builds upon the volume is received into it, and anything else beside it, to take its
    /// place once it is whole.
    private func receive(
        _ arrival: ZfsArrival, of volume: String, from stream: any ByteStream,
        _ frames: SessionFrameReader
    ) async throws {
        let (head, dataset) = (names.head(of: volume), arrival.dataset)
        do {
            let tool = try await telling(stream) {
                // What is mounted would not see what comes.
                if dataset == head { try await unmount(head, at: layout.path(of: volume)) }
                return try ConversingTool.start(
                    tools.zfs.receive(into: dataset, isResumable: arrival.isResumable))
            }
            try await ToolSession(
                tool: tool, stream: stream, frames: frames, noticesEnd: false,
                conclude: { [self] status, said in
                    if let failure = Zfs.failure(status, said: said) { return failure }
                    do { try await take(arrival.snapshot, in: dataset, for: volume) } catch {
                        return .told(error)
                    }
                    return nil
                }
            ).run()
        } catch {
            await afterFailure { [self] in try await settle(volume) }
            throw error
        }
    }

    /// The volume becomes what has arrived.
    private func take(
        _ note: ZfsNote.FromSource.Snapshot, in dataset: String, for volume: String
    ) async throws {
        let arrived = try await tools.values(["guid"], of: "\(dataset)@\(note.name)")
        guard arrived?.first == note.guid else {
            throw SessionFrame.nonsense("another snapshot than was said")
        }
        if note.base == nil {
            try await put(dataset, inPlaceOf: volume)
        } else {
            try await mount(dataset, at: layout.path(of: volume))
            forget(volume)
            try await removePasses(of: volume, except: note.name)
        }
    }
}

/// A snapshot on its way, and where to.
private struct ZfsArrival: Sendable {
    let snapshot: ZfsNote.FromSource.Snapshot
    let dataset: String
    let isResumable: Bool
}

extension ZfsPool: VolumeDigesting {
    package func digest(of volume: String, mapped: Set<String>) async throws -> String {
        try await passes.digest(
            of: volume, at: tree(of: volume), mapped: mapped)
    }

    package func forgetDigest(of volume: String) async { passes.forgetDigest(of: volume) }
}

extension ZfsPool: VolumeIDChanging {
    package func expectIDs(_ change: IDChange, in volume: String) async throws {
        try await passes.ids.expect(change, in: volume, at: tree(of: volume))
    }

    package func settleIDs(of volume: String) async throws {
        try await passes.ids.settle(volume, at: tree(of: volume))
    }
}
