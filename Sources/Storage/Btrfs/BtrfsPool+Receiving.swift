import LinuxHost
package import MigrationCore
import Synchronization

extension BtrfsPool: VolumeReceiving {
    package func receiveWhileRunning(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        _ = try layout.usablePath(of: volume)
        guard method == .btrfs else {
            return try await receiveAgain(volume, by: method, from: stream)
        }
        let place = layout.place(of: volume)
        let (frames, note, tool) = try await telling(stream) {
            let held = try await blocking { [self] in try snapshots(heldOf: volume) }
            try await SessionNote.write(
                PassNote.FromTarget(
                    streams: await BtrfsTools.newestStream(),
                    snapshots: held.map(\.subvolume.origin)), to: stream)
            var frames = SessionFrameReader(stream)
            let note = try await PassNote.readFromSource(&frames)
            return (frames, note, try ConversingTool.start(Btrfs.receive(into: place)))
        }
        do {
            try await ToolSession(
                tool: tool, stream: stream, frames: frames, noticesEnd: false,
                conclude: { [self] status, said in
                    if let failure = Btrfs.failure(status, said: said) { return failure }
                    do { try await blocking { try self.take(note, for: volume) } } catch {
                        return .told(error)
                    }
                    return nil
                }
            ).run()
        } catch {
            try? await blocking { try Subvolume.remove("\(place)/\(note.name)") }
            throw error
        }
    }

    package func receiveAgain(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        guard method != .btrfs else {
            try await receiveAfterCheckpoint(volume, by: method, from: stream)
            return try await blocking { try self.renewBase(of: volume) }
        }
        try await RsyncTransfer.receive(
            into: layout.usablePath(of: volume), through: passes.ids.view(of: volume),
            tolerant: true, from: stream)
    }

    package func receiveAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        let root = try layout.usablePath(of: volume)
        guard method == .btrfs else {
            return try await RsyncTransfer.receive(
                into: root, through: passes.ids.view(of: volume), tolerant: false, from: stream)
        }
        try await ApplyingEnd(stream: stream).run { frames in
            let note = try await PassNote.readFromSource(&frames)
            let applier = try await blocking { try self.applier(for: note, of: volume) }
            while let bytes = try await ApplyingEnd.data(&frames) {
                try await blocking { try applier.apply(bytes) }
            }
            try await blocking { try applier.finish(modified: note.modified) }
            self.memories.withLock { $0[volume, default: PassMemory()].current = note.uuid }
        }
    }

    package func cleanUpAfterReceiving(_ volume: String) async throws {
        _ = try layout.usablePath(of: volume)
        passes.ids.forget(volume)
        memories.withLock { $0[volume] = nil }
        try await removePasses(of: volume)
    }

    /// The volume becomes what has arrived, which is kept as the base of deltas.
    private func take(_ note: PassNote.FromSource, for volume: String) throws {
        let path = "\(layout.place(of: volume))/\(note.name)"
        guard let arrived = try Subvolume.at(path), arrived.isReadOnly,
            arrived.origin == note.uuid
        else { throw SessionFrame.nonsense("another snapshot than was said") }
        try put(path, inPlaceOf: volume, modified: note.modified)
        memories.withLock { memories in
            memories[volume, default: PassMemory()].current = note.uuid
            memories[volume]?.bases[note.uuid] = path
            memories[volume]?.arrived = path
        }
    }

    /// Makes what the next delta builds upon, for which it would have to wait in the freeze, and
    /// removes what the last one built upon.
    private func renewBase(of volume: String) throws {
        let memory = memories.withLock { $0[volume] } ?? PassMemory()
        guard let current = memory.current, memory.bases[current] == nil else { return }
        let base = try makeBase(of: volume)
        memories.withLock { $0[volume]?.bases = [current: base] }
        for path in memory.bases.values where path != memory.arrived { try Subvolume.remove(path) }
    }

    private func makeBase(of volume: String) throws -> String {
        let path = "\(layout.place(of: volume))/\(PassNote.newName())"
        _ = try snapshot(volume, to: path)
        return path
    }

    /// Prepares the volume for a delta: it has to be what the delta builds upon.
    private func applier(
        for note: PassNote.FromSource, of volume: String
    ) throws -> SendStreamApplier {
        guard let parent = note.parent else { throw SessionFrame.nonsense("a delta of nothing") }
        let memory = memories.withLock { $0[volume] } ?? PassMemory()
        let base: String
        if let known = memory.bases[parent] {
            base = known
            // An earlier delta was interrupted.
            if memory.current != parent { try put(known, inPlaceOf: volume) }
        } else {
            guard memory.current == parent else {
                throw SessionFrame.nonsense("a delta of a snapshot that is not here")
            }
            base = try makeBase(of: volume)
        }
        memories.withLock { memories in
            memories[volume, default: PassMemory()].current = nil
            memories[volume]?.bases[parent] = base
        }
        return try SendStreamApplier(
            root: layout.path(of: volume), base: base, uuid: note.uuid, parent: parent)
    }
}

extension BtrfsPool: VolumeDigesting {
    package func digest(of volume: String, mapped: Set<String>) async throws -> String {
        try await passes.digest(
            of: volume, at: layout.usablePath(of: volume), mapped: mapped)
    }

    package func forgetDigest(of volume: String) async { passes.forgetDigest(of: volume) }
}

extension BtrfsPool: VolumeIDChanging {
    package func expectIDs(_ change: IDChange, in volume: String) async throws {
        try await passes.ids.expect(change, in: volume, at: layout.usablePath(of: volume))
    }

    package func settleIDs(of volume: String) async throws {
        try await passes.ids.settle(volume, at: layout.usablePath(of: volume))
    }
}
