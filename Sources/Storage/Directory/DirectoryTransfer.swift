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
            let earlier = memories[volume]?.firstPass
            // What an earlier, broken pass has sent may have changed before this one began.
            memories[volume, default: VolumeMemory()].firstPass = min(earlier ?? start, start)
            return earlier
        }
        let distrusted = try await suspects(below: root, since: earlier, mapped: [])
        try await RsyncTransfer.send(
            root, distrusting: distrusted, tolerant: true, over: stream, progress: progress)
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
        memories.withLock { $0[volume]?.firstPass = nil }
    }

    private func suspects(
        below root: String, since start: FileTime?, mapped: Set<String>
    ) async throws -> [[UInt8]] {
        guard let start else { return [] }
        return try await TreeChanges.suspects(below: root, changedSince: start, mapped: mapped)
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
