/// Where the root filesystems of a pool live. Every method may be called again after a failure.
package protocol PoolDriver: Sendable {
    /// `directory`, `btrfs`, ...
    var driver: String { get }
    /// Sending methods of this pool's volumes, best first.
    var methods: [VolumeMethod] { get }

    /// Makes an empty volume and returns its path.
    func createVolume(_ name: String) async throws -> String
    /// The path of the volume's tree.
    func path(of volume: String) -> String
    func hasVolume(_ name: String) async -> Bool
    func renameVolume(_ name: String, to newName: String) async throws
    func deleteVolume(_ name: String) async throws
    /// Bytes that the volume's files occupy.
    func used(by volume: String) async throws -> ByteCount
    func facts() async throws -> PoolFacts
}

/// Sends a volume to another host in passes while its instance runs, and one when it stands still
/// (LXD's two-phase storage).
package protocol VolumeSending: PoolDriver {
    /// Sends the tree while its instance runs.
    func sendWhileRunning(
        _ volume: String,
        by method: VolumeMethod,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws
    /// Sends what has changed since the last pass, while the instance runs; any number of times
    /// after `sendWhileRunning`.
    func sendAgain(
        _ volume: String,
        by method: VolumeMethod,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws
    /// Whether anything in the tree may have changed since the last pass began; `mapped` as below.
    func hasChanged(_ volume: String, mapped: Set<String>) async throws -> Bool
    /// Sends what changed since; nothing writes to the volume any more. `mapped` are paths (as
    /// `/a/b`) whose content may have changed without a trace in their times: they are compared
    /// byte by byte.
    func sendAfterCheckpoint(
        _ volume: String,
        by method: VolumeMethod,
        mapped: Set<String>,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws
    /// Removes temporary snapshots and the like, after success or failure alike.
    func cleanUpAfterSending(_ volume: String) async throws
}

/// The receiving half.
package protocol VolumeReceiving: PoolDriver {
    func receiveWhileRunning(
        _ volume: String,
        by method: VolumeMethod,
        from stream: any ByteStream
    ) async throws
    func receiveAgain(
        _ volume: String,
        by method: VolumeMethod,
        from stream: any ByteStream
    ) async throws
    func receiveAfterCheckpoint(
        _ volume: String,
        by method: VolumeMethod,
        from stream: any ByteStream
    ) async throws
    func cleanUpAfterReceiving(_ volume: String) async throws
}

/// Digests of volumes that are cheap the second time.
package protocol VolumeDigesting: PoolDriver {
    /// A digest of every path, its metadata and its content, the same for equal trees on any host.
    ///
    /// The first call reads everything (do it while the instance runs); later calls read again only
    /// what changed since, plus `mapped`. `forgetDigest` drops what is remembered.
    func digest(of volume: String, mapped: Set<String>) async throws -> String
    func forgetDigest(of volume: String) async
}

/// Keeps volumes as they were at one moment, under names that are unique within each volume.
///
/// Snapshots go with their volume when it is renamed or deleted.
/// Every method may be called again after a failure; what a crash leaves half made is no snapshot
/// and is removed by the next call.
package protocol VolumeSnapshotting: PoolDriver {
    /// Whether the moment is one (a copy-on-write filesystem's), or lasts as long as the copy: then
    /// nothing may write to the volume meanwhile.
    var snapshotsAtOnce: Bool { get }
    /// - Throws: `nameTaken`, `notFound` without the volume.
    func createSnapshot(_ snapshot: String, of volume: String) async throws
    /// No such snapshot is no error.
    func deleteSnapshot(_ snapshot: String, of volume: String) async throws
    /// Makes the volume what it was then; its other snapshots stay. Nothing uses the volume.
    ///
    /// - Throws: `notFound`.
    func restoreSnapshot(_ snapshot: String, of volume: String) async throws
    /// Their names, in no order.
    func snapshots(of volume: String) async throws -> Set<String>
    /// The tree of a snapshot, to be read only, and while nothing changes the volume's snapshots.
    ///
    /// - Throws: `notFound` where it has to be mounted for that.
    func path(of snapshot: String, in volume: String) async throws -> String
}

/// Snapshots that are copies, most of which is made while the volume is still written to.
package protocol SnapshotCopying: VolumeSnapshotting {
    /// Copies what there is; `createSnapshot` then only brings the copy up to date.
    func copyAhead(_ snapshot: String, of volume: String) async throws
    /// Nothing writes to the volume meanwhile. `mapped` are paths (as `/a/b`) whose content may
    /// have changed without a trace in their times: they are compared byte by byte.
    func createSnapshot(
        _ snapshot: String, of volume: String, mapped: Set<String>
    ) async throws
    /// Copies the snapshot; `restoreSnapshot` then only puts the copy in the volume's place.
    func copyBack(_ snapshot: String, of volume: String) async throws
    /// Returns when the snapshot is sure to outlive a loss of power. It can take seconds where
    /// others write much, so that no instance should wait for it.
    func flushSnapshot(_ snapshot: String, of volume: String) async throws
}

/// Sends snapshots to the volume's half on another host, which takes one there after each.
package protocol SnapshotSending: VolumeSnapshotting {
    /// Makes the other half what the snapshot is; by rsync, which every pool can receive. The
    /// oldest comes first, the volume itself after the last.
    func sendSnapshot(
        _ snapshot: String, of volume: String, over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws
    /// As of the volume, had it the snapshot's tree.
    func digest(ofSnapshot snapshot: String, of volume: String) async throws -> String
    /// Bytes that they would occupy if they shared nothing.
    func used(bySnapshotsOf volume: String) async throws -> ByteCount
}

package struct TransferProgress: Codable, Equatable, Sendable {
    /// Bytes on the wire so far.
    package var sent: ByteCount
    /// Bytes of the whole, as far as known.
    package var total: ByteCount?

    package init(sent: ByteCount, total: ByteCount? = nil) {
        self.sent = sent
        self.total = total
    }
}

/// Volumes that several hosts see, so that nothing of them travels between these.
///
/// Each volume has one owner, which stands beside it for all to see: the host that may write to it,
/// rename and delete it. For `deleteVolume` and `renameVolume` of any other host there is no such
/// volume, whatever the engine there believes; so nothing but custody decides about the one copy.
package protocol VolumeSharing: PoolDriver {
    /// Writes beside the volume what nobody can know who does not see it there. The one before, and
    /// after a move the last, are removed.
    func makeToken(for volume: String) async throws -> SharedToken
    /// Whether the token is beside the volume here. Changes nothing.
    func sees(_ token: SharedToken, of volume: String) async -> Bool
    /// Makes this host the owner: it has custody of the instance, for the first time or again.
    func takeVolume(_ name: String) async throws
    /// Lets go of a volume whose instance another host has now: removes it if its files have
    /// travelled there, and leaves it where that host uses it itself.
    func leaveVolume(_ name: String) async throws
}

/// Keeps the layers of images once for all volumes that stand on them.
package protocol LayerSharing: PoolDriver {
    /// Makes an empty volume what the image says. Ownership arrives shifted by `idMap`.
    ///
    /// - Throws: as the store's `unpack`; `nameTaken` if the volume is not empty.
    func fill(
        _ volume: String, with image: StoredImage, from store: any ImageStoring, idMap: IDMap?
    ) async throws
    /// Makes an empty volume what another one is, or was at a snapshot; nothing writes to that
    /// meanwhile.
    ///
    /// - Throws: `notFound`; `nameTaken` if the volume is not empty; `noSpace`.
    func fill(_ volume: String, as other: String, at snapshot: String?) async throws
}

/// Fills a new volume from what an operator has: a directory, a tar archive, an OCI image layout.
package protocol RootImporting: Sendable {
    /// - Parameter root: the empty volume. Ownership arrives shifted by `idMap`.
    func importRoot(from path: String, into root: String, idMap: IDMap?) async throws
        -> ImageDefaults
    /// Makes the empty volume what the tree is, to which nothing writes meanwhile.
    func copyTree(from tree: String, into root: String) async throws
    /// Has an empty volume's root belong to the instance's root: the host's, without a map.
    func own(_ root: String, by idMap: IDMap?) async throws
}

/// What an image says about the process to run in it; all empty for archives and directories.
package struct ImageDefaults: Codable, Equatable, Sendable {
    package var command: [String]
    package var environment: [String]
    package var workingDirectory: String?
    package var user: String?

    package init(
        command: [String] = [], environment: [String] = [], workingDirectory: String? = nil,
        user: String? = nil
    ) {
        self.command = command
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
    }
}
