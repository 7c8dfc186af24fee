import LinuxHost
package import MigrationCore
import Synchronization

extension DirectoryPool: VolumeSending {
    package func sendWhileRunning(
        _ volume: String, by method: VolumeMethod, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let root = try usablePath(of: volume)
        // The kernel's clock of inodes is only read at ticks, of at most 10 ms.
        let start = FileTime.now().earlier(byMilliseconds: 100)
        let earlier = memories.withLock { memories in
            let hasSentSnapshot = memories[volume]?.hasSentSnapshot ?? false
            let earlier = hasSentSnapshot ? beforeAll : memories[volume]?.firstPass
            // What an earlier, broken pass has sent may have changed before this one began.
            memories[volume, default: VolumeMemory()].firstPass =
                hasSentSnapshot ? start : min(earlier ?? start, start)
            return earlier
        }
        let distrusted = try await suspects(below: root, since: earlier, mapped: [])
        try await RsyncTransfer.send(
            root, distrusting: distrusted, tolerant: true, over: stream, progress: progress)
        memories.withLock { $0[volume]?.hasSentSnapshot = false }
    }

    package func hasChanged(_ volume: String, mapped: Set<String>) async throws -> Bool {
        let root = try usablePath(of: volume)
        guard mapped.isEmpty, let start = memories.withLock({ $0[volume]?.firstPass }) else {
            return true
        }
        return try await TreeChanges.areThereAny(below: root, since: start)
    }

    /// A changed file may keep its size and its modification time (set back, or within one tick of
    /// the clock), and rsync would pass it over. Its inode's change time tells: such files are
    /// named to the target, which makes rsync compare their content. Without a first pass in
    /// memory, all files are.
    package func sendAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let root = try usablePath(of: volume)
        let start = memories.withLock { $0[volume]?.firstPass } ?? FileTime(seconds: .min)
        let distrusted = try await suspects(below: root, since: start, mapped: mapped)
        try await RsyncTransfer.send(
            root, distrusting: distrusted, tolerant: false, over: stream, progress: progress)
    }

    package func cleanUpAfterSending(_ volume: String) async throws {
        memories.withLock { memories in
            memories[volume]?.firstPass = nil
            memories[volume]?.hasSentSnapshot = false
        }
    }

    private func suspects(
        below root: String, since start: FileTime?, mapped: Set<String>
    ) async throws -> [[UInt8]] {
        guard let start else { return [] }
        return try await TreeChanges.suspects(below: root, changedSince: start, mapped: mapped)
    }
}

/// Every file has changed since.
private let beforeAll = FileTime(seconds: 0)

extension DirectoryPool: SnapshotSending {
    /// The copies' inodes do not tell which file is as it was in the snapshot before: every file's
    /// content is compared, but for the first.
    package func sendSnapshot(
        _ snapshot: String, of volume: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let tree = path(of: snapshot, in: volume)
        let isFirst = memories.withLock { memories in
            let isFirst = memories[volume]?.hasSentSnapshot != true
            memories[volume, default: VolumeMemory()].hasSentSnapshot = true
            return isFirst
        }
        let distrusted = try await suspects(
            below: tree, since: isFirst ? nil : beforeAll, mapped: [])
        try await RsyncTransfer.send(
            tree, distrusting: distrusted, tolerant: false, over: stream, progress: progress)
    }

    package func digest(ofSnapshot snapshot: String, of volume: String) async throws -> String {
        try await TreeDigest().digest(of: path(of: snapshot, in: volume))
    }

    package func used(bySnapshotsOf volume: String) async throws -> ByteCount {
        var used = ByteCount.zero
        for snapshot in try await snapshots(of: volume) {
            used += try await TreeUse.bytes(below: path(of: snapshot, in: volume))
        }
        return used
    }
}

extension DirectoryPool: VolumeReceiving {
    package func receiveWhileRunning(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        try await RsyncTransfer.receive(
            into: usablePath(of: volume), tolerant: true, from: stream)
    }

    package func receiveAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        try await RsyncTransfer.receive(
            into: usablePath(of: volume), tolerant: false, from: stream)
    }

    /// Nothing to do: rsync removes what it began, and the rest belongs to the volume.
    package func cleanUpAfterReceiving(_ volume: String) async throws {
        _ = try usablePath(of: volume)
    }
}

extension DirectoryPool: VolumeDigesting {
    package func digest(of volume: String, mapped: Set<String>) async throws -> String {
        let root = try usablePath(of: volume)
        let digest = memories.withLock { memories in
            let digest = memories[volume]?.digest ?? TreeDigest()
            memories[volume, default: VolumeMemory()].digest = digest
            return digest
        }
        return try await digest.digest(of: root, mapped: mapped)
    }

    package func forgetDigest(of volume: String) async {
        memories.withLock { $0[volume]?.digest = nil }
    }
}
