/// Which instance it is, on whatever host and under whatever name: made with the instance, and
/// another one for each copy of it.
///
/// 32 lower-case hexadecimal digits.
package struct InstanceUUID: CheckedText {
    package let text: String
    package var description: String { text }

    package init(_ text: String) throws(GodwitError) {
        guard isHexadecimal(text, digits: 32) else {
            throw GodwitError(
                .badRequest, "\"\(text.prefix(80))\" does not tell an instance from others",
                remedy: "use 32 hexadecimal digits")
        }
        self.text = text
    }
}

/// What a host keeps of an instance that is on another one, so that only what differs has to
/// travel when it comes back. No instance can use it, and nothing is ever started from it.
package struct KeptCopy: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, Sendable {
        /// The volume of an instance that has left, with its snapshots.
        case volume
        /// Beside the volume of an instance that is here: the snapshot that the host which it came
        /// from has as well.
        case base
        /// What had come of an instance when the connection broke over which it moved here.
        case partial

        /// Whether it is a volume of its own.
        package var isVolume: Bool { self != .base }
    }

    /// The move after which, or by whose failure, it was kept.
    package var id: MigrationID
    package var kind: Kind
    package var instance: InstanceUUID
    /// What the instance was called then.
    package var name: InstanceName
    package var pool: String
    package var kept: Timestamp
    package var expires: Timestamp
    /// Bytes that its files occupied then; zero for a base, which shares most of its blocks.
    package var used: ByteCount

    package init(
        id: MigrationID, kind: Kind, instance: InstanceUUID, name: InstanceName, pool: String,
        kept: Timestamp, expires: Timestamp, used: ByteCount = .zero
    ) {
        self.id = id
        self.kind = kind
        self.instance = instance
        self.name = name
        self.pool = pool
        self.kept = kept
        self.expires = expires
        self.used = used
    }
}

/// What the other half of a pass begins with.
package enum VolumeStart: Equatable, Sendable {
    case empty
    /// A tree of which nothing is known.
    case unknown
    /// The tree that has this digest.
    case tree(String)
}

/// Keeps volumes of instances that have left, apart from its volumes.
///
/// A copy is called by the text of a migration's id. Every method may be called again after a
/// failure.
package protocol VolumeKeeping: SnapshotSending, VolumeDigesting {
    /// Takes the volume with its snapshots away from the volumes, and removes what only the move
    /// needed. Done already is no error.
    ///
    /// - Throws: `notFound` if there is neither.
    func keepVolume(_ volume: String, as copy: String) async throws
    /// Makes the copy a volume again. Done already is no error.
    ///
    /// - Returns: the volume's path.
    /// - Throws: `notFound` if there is neither.
    func takeKept(_ copy: String, as volume: String) async throws -> String
    /// No such copy is no error.
    func removeKept(_ copy: String) async throws
    func keptCopies() async throws -> Set<String>

    /// Says what the other half has, before the next pass. Without it, it is empty.
    func begin(_ volume: String, upon start: VolumeStart) async
    /// Remembers for later moves that the volume, which nothing has changed yet, has this digest.
    func noteArrival(of volume: String, digest: String) async throws
}

/// Keeps what a first pass that broke was sending, so that it can go on.
package protocol PassResuming: VolumeSending {
    /// Removes what is kept of the volume's, if anything is.
    func forgetBrokenPass(of volume: String) async throws
    /// Removes what is kept of those that broke before then.
    func removeBrokenPasses(before moment: Timestamp) async throws
}

/// Keeps, beside a volume, what the other half of a move has as well, to build the next one upon.
package protocol BaseKeeping: VolumeKeeping {
    /// Whether moves by the method leave a base.
    func hasBase(by method: VolumeMethod) -> Bool
    /// Keeps what has arrived in the first pass as the base of the next move, in place of an
    /// earlier one.
    func keepBase(of volume: String) async throws
    /// None is no error.
    func removeBase(of volume: String) async throws
}
