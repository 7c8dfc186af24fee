import LinuxHost
import MigrationCore
import Synchronization

/// The part of a tree in which everything is that can have changed: the upper layer of an overlay.
struct ChangedPart: Sendable {
    let root: String
    /// Those below it.
    let layers: [String]
}

/// What every pool whose volumes are mounted trees can do: the passes by rsync, whether a tree has
/// changed since the last, and digests.
///
/// What is remembered between the passes may be lost and only costs time.
final class TreePasses: Sendable {
    /// Of volumes that arrive here.
    let ids = ArrivingIDs()
    private let memories = Mutex<[String: Memory]>([:])

    private struct Memory: Sendable {
        /// Before the last pass that has ended began, and before the earliest of those that broke:
        /// what has not changed since is at the other half.
        var sent: PassStart?
        /// The other half lacks nothing but what has changed since, so that a pass by list will do.
        /// One that only left something out takes nothing of that away.
        var isWhole = false
        /// As the passes have seen them.
        var directories: KnownDirectories?
        var digest: TreeDigest?
        /// The other half has the files of a snapshot of it: sizes and times prove nothing.
        var hasSentSnapshot = false
        /// The other half has a tree already, in which sizes and times prove nothing of files that
        /// have changed here since.
        var start: FileTime?

        /// What has not changed since this is all there; nil if that is not known.
        var wholeSince: FileTime? { isWhole && sent?.holds() == true ? sent?.moment : nil }
    }

    /// Every file has changed since.
    static let beforeAll = FileTime(seconds: 0)

    /// Says what the other half has, before the next pass.
    ///
    /// - Parameter moment: files that have not changed here since are the same there, if their
    ///   sizes and times are; nil if it has none at all.
    func begin(_ volume: String, since moment: FileTime?) {
        memories.withLock { $0[volume, default: Memory()].start = moment }
    }

    /// - Parameter frames: what has been read of the stream already.
    func sendWhileRunning(
        _ volume: String, at root: String, over stream: any ByteStream,
        frames: SessionFrameReader? = nil,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let start = PassStart()
        let (earlier, known) = memories.withLock { memories in
            let memory = memories[volume] ?? Memory()
            let hasSentSnapshot = memory.hasSentSnapshot
            // What an earlier, broken pass has sent may have changed before this one began.
            memories[volume, default: Memory()].sent =
                hasSentSnapshot ? start : memory.sent ?? start
            memories[volume]?.isWhole = false
            let earlier =
                hasSentSnapshot
                ? Self.beforeAll : [memory.sent?.since, memory.start].compactMap(\.self).min()
            return (earlier, memory.directories)
        }
        let changes = try await TreeChanges.find(
            below: root, since: earlier ?? start.moment, mapped: [], known: known)
        try await sending(changes, of: volume) {
            try await RsyncTransfer.send(
                root, distrusting: earlier == nil ? [] : changes.suspects,
                keepsParts: earlier == nil, tolerant: true, over: stream, frames: frames,
                progress: progress)
        }
        memories.withLock { memories in
            memories[volume]?.hasSentSnapshot = false
            memories[volume]?.start = nil
        }
    }

    /// Remembers what a pass has brought, in which `send` says whether it left nothing out.
    ///
    /// - Parameter start: before the pass began, if it counts from then on.
    private func sending(
        _ changes: TreeChanges, of volume: String, start: PassStart? = nil,
        _ send: () async throws -> Bool
    ) async throws {
        let before = memories.withLock { memories in
            let before = memories[volume] ?? Memory()
            // One that breaks may leave anything.
            memories[volume, default: Memory()].isWhole = false
            memories[volume]?.directories = before.directories?.intersection(changes.directories)
            return before
        }
        let isWhole = try await send()
        memories.withLock { memories in
            memories[volume]?.isWhole = isWhole || before.isWhole
            guard isWhole else { return }
            memories[volume]?.directories = changes.directories
            if let start { memories[volume]?.sent = start }
        }
    }

    /// The first pass was another one, with all that the volume was at a later moment than this.
    func hasSent(_ volume: String, since start: PassStart) {
        memories.withLock { memories in
            memories[volume, default: Memory()].sent = start
            memories[volume]?.isWhole = true
            memories[volume]?.directories = nil
            memories[volume]?.hasSentSnapshot = false
        }
    }

    /// The copies' inodes do not tell which file is as it was in the snapshot before: every file's
    /// content is compared, but for the first that comes into an empty tree.
    func sendSnapshot(
        of volume: String, at tree: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let isFirst = memories.withLock { memories in
            let isFirst =
                memories[volume]?.hasSentSnapshot != true && memories[volume]?.start == nil
            memories[volume, default: Memory()].hasSentSnapshot = true
            memories[volume]?.isWhole = false
            return isFirst
        }
        let distrusted = try await suspects(
            below: tree, since: isFirst ? nil : Self.beforeAll)
        try await RsyncTransfer.send(
            tree, distrusting: distrusted, tolerant: false, over: stream, progress: progress)
    }

    /// What the trees would take if they shared nothing.
    static func used(by trees: [String]) async throws -> ByteCount {
        var used = ByteCount.zero
        for tree in trees { used += try await TreeUse.bytes(below: tree) }
        return used
    }

    /// - Parameter changes: as below.
    func sendAgain(
        _ volume: String, at root: String, changes: ChangedPart? = nil, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        try await sendChanges(
            of: volume, at: root, changes: changes, mapped: [], tolerant: true, start: PassStart(),
            over: stream, progress: progress)
    }

    func hasChanged(
        _ volume: String, at root: String, mapped: Set<String>
    ) async throws -> Bool {
        guard mapped.isEmpty, let start = memories.withLock({ $0[volume]?.wholeSince }),
            FilesystemFacts.stampsChanges(at: root)
        else { return true }
        return try await TreeChanges.areThereAny(below: root, since: start)
    }

    /// A changed file may keep its size and its modification time (set back, or within one tick of
    /// the clock), and rsync would pass it over. Its inode's change time tells: such files are
    /// named to the target, which makes rsync compare their content. Without a first pass in
    /// memory, all files are.
    ///
    /// - Parameter changes: the part of the tree in which all is that can have changed.
    func sendAfterCheckpoint(
        _ volume: String, at root: String, changes: ChangedPart? = nil, mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        // FUSE gives a file that was written to through a mapping its time when it is written out,
        // whenever that is.
        if try !mapped.isEmpty && !FilesystemFacts.of(root).isLocal {
            try await FilesystemFacts.flush(at: root)
        }
        try await sendChanges(
            of: volume, at: root, changes: changes, mapped: mapped, tolerant: false, over: stream,
            progress: progress)
    }

    /// - Parameter start: as `sending`.
    private func sendChanges(
        of volume: String, at root: String, changes part: ChangedPart?, mapped: Set<String>,
        tolerant: Bool, start: PassStart? = nil, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws {
        let memory = memories.withLock { $0[volume] } ?? Memory()
        let place = part?.root ?? root
        let changes = try await TreeChanges.find(
            below: place, since: memory.sent?.since ?? Self.beforeAll, mapped: mapped,
            known: memory.directories, layers: part?.layers)
        let isListed = memory.wholeSince != nil && FilesystemFacts.stampsChanges(at: place)
        try await sending(changes, of: volume, start: start) {
            try await RsyncTransfer.send(
                root, distrusting: changes.suspects, places: isListed ? changes.places : nil,
                tolerant: tolerant, over: stream, progress: progress)
        }
    }

    func cleanUpAfterSending(_ volume: String) {
        memories.withLock { memories in
            memories[volume]?.sent = nil
            memories[volume]?.isWhole = false
            memories[volume]?.directories = nil
            memories[volume]?.hasSentSnapshot = false
            memories[volume]?.start = nil
        }
    }

    func digest(of volume: String, at root: String, mapped: Set<String>) async throws -> String {
        let digest = memories.withLock { memories in
            let digest = memories[volume]?.digest ?? TreeDigest()
            memories[volume, default: Memory()].digest = digest
            return digest
        }
        let view = ids.view(of: volume)
        defer { withExtendedLifetime(view) {} }
        return try await digest.digest(
            of: view?.path ?? root, mapped: mapped, isView: view != nil)
    }

    func forgetDigest(of volume: String) { memories.withLock { $0[volume]?.digest = nil } }

    func forget(_ volume: String) {
        ids.forget(volume)
        memories.withLock { _ = $0.removeValue(forKey: volume) }
    }

    func rename(_ volume: String, to newName: String) {
        memories.withLock { $0[newName] = $0.removeValue(forKey: volume) }
    }

    private func suspects(below root: String, since start: FileTime?) async throws -> [[UInt8]] {
        guard let start else { return [] }
        return try await TreeChanges.find(below: root, since: start, mapped: []).suspects
    }
}
