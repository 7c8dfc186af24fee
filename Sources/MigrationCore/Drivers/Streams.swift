/// A two-way stream of bytes to the peer's half of the same step.
///
/// One reader and one writer at a time. An error ends the stream for both directions.
package protocol ByteStream: Sendable {
    /// The next bytes, at least one, at most `Limit.frame`; nil once the peer has finished writing.
    func read() async throws -> [UInt8]?
    /// Sends the bytes in order; returns when the stream can take more.
    func write(_ bytes: ArraySlice<UInt8>) async throws
    /// Says that nothing more will be written, and returns when all of it has left this process.
    func finish() async throws
    /// Ends both directions now. May be called at any time and twice.
    func cancel() async
}

/// The control conversation of one migration.
package protocol MessageChannel: Sendable {
    func send(_ envelope: Envelope) async throws
    /// The next message; nil once the peer has closed the connection.
    func receive() async throws -> Envelope?
    func close() async
}

/// The first thing that is said on a connection between hosts.
package struct StreamHello: Codable, Hashable, Sendable {
    package enum Purpose: Codable, Hashable, Sendable {
        /// How many streams of pages there are.
        package static let pageChannels = 2

        case control
        /// What the target has of a volume and its snapshots, before anything of them travels.
        case held(String)
        /// A snapshot of the volume, before that itself.
        case snapshot(String)
        /// Its processes' state, where it has one: a line with the digest, then the bytes.
        case snapshotState(String)
        /// The first pass of a volume, while the instance runs.
        case volume(String)
        /// What changed in a volume while the pass before travelled, numbered from 0; without a
        /// byte after the last.
        case pass(String, Int)
        /// What changed in a volume, after the freeze.
        case delta(String)
        /// What the dump has changed in it after that; without a byte if nothing.
        case rest(String)
        case checkpoint
        /// Pages of the running and then of the frozen instance, numbered from 0.
        case memory(Int)
        /// That the instance is frozen, and the packets that the source has kept since.
        case packets
        /// Pages that the instance lacks while it runs on the target, numbered from 0: those that
        /// it waits for, and the rest. A newer one takes the place of one that broke.
        case pages(Int)
    }

    package let version: Int
    package let migration: MigrationID
    package let purpose: Purpose

    package init(version: Int = 1, migration: MigrationID, purpose: Purpose) {
        self.version = version
        self.migration = migration
        self.purpose = purpose
    }
}

/// Opens connections to other hosts; only the source of a migration does.
package protocol PeerDialer: Sendable {
    func openControl(_ remote: RemoteName, migration: MigrationID) async throws
        -> any MessageChannel
    /// - Parameter bandwidth: bytes a second that all streams of the migration share.
    func openStream(_ remote: RemoteName, _ hello: StreamHello, bandwidth: ByteCount?)
        async throws -> any ByteStream
    /// Changes what the migration's open streams share; nil for no limit. Streams that are opened
    /// later bring their own word, which then holds for all.
    func setBandwidth(_ bandwidth: ByteCount?, of migration: MigrationID)
    /// The addresses under which this host and the remote reach each other now.
    func ends(towards remote: RemoteName) async throws -> CableEnds
}

/// Takes connections of other hosts that TLS has identified and that have said hello.
package protocol PeerAcceptor: Sendable {
    /// Serves the conversation and returns when it is over.
    func accept(control: any MessageChannel, migration: MigrationID, from peer: PeerIdentity) async
    /// Takes the stream over and returns when it is done with it.
    func accept(stream: any ByteStream, hello: StreamHello, from peer: PeerIdentity) async
}

/// Who is at the other end: the SHA-256 of its certificate in lower-case hexadecimal, and the name
/// under which it is trusted here.
package struct PeerIdentity: Codable, Hashable, Sendable {
    package let fingerprint: String
    package let name: String

    package init(fingerprint: String, name: String) {
        self.fingerprint = fingerprint
        self.name = name
    }
}

/// A host that is trusted here, and where it can be reached.
package struct PeerRecord: Codable, Hashable, Sendable {
    package var name: RemoteName
    /// SHA-256 of the certificate, lower-case hexadecimal.
    package var fingerprint: String
    /// DER in base 64.
    package var certificate: String
    /// `address:port`, the first that answers is used; IPv6 addresses in brackets.
    package var addresses: [String]

    package init(
        name: RemoteName, fingerprint: String, certificate: String, addresses: [String]
    ) {
        self.name = name
        self.fingerprint = fingerprint
        self.certificate = certificate
        self.addresses = addresses
    }
}

/// Whom this host trusts.
package protocol PeerDirectory: Sendable {
    func peer(named name: RemoteName) async throws -> PeerRecord
    func peer(withFingerprint fingerprint: String) async -> PeerRecord?
}

/// Redeems a one-time token at the host that made it.
package protocol TrustDialer: Sendable {
    /// - Returns: the answer, and the certificate (DER in base 64) that the host showed; its
    ///   fingerprint has been compared with `fingerprint`.
    func redeem(
        secret: String, at addresses: [String], fingerprint: String, name: String,
        ownAddresses: [String]
    ) async throws -> (acceptance: TokenAcceptance, certificate: String)
}
