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

/// Sends a volume to another host in two passes (LXD's two-phase storage).
package protocol VolumeSending: PoolDriver {
    /// Sends the tree while its instance runs. `mapped` are files of which changes leave no trace in
    /// their times, since the instance has them mapped writable and shared.
    func sendWhileRunning(
        _ volume: String,
        by method: VolumeMethod,
        over stream: any ByteStream,
        progress: @escaping @Sendable (TransferProgress) -> Void
    ) async throws
    /// Sends what changed since; nothing writes to the volume any more.
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
