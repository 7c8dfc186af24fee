/// What can send its memory while it runs, can be moved live with a downtime that does not depend
/// on how much memory it has.
package protocol MemoryMoving: Checkpointable {
    /// Whether this host can do it now: its CRIU can leave out memory that travels otherwise.
    var canMoveMemory: Bool { get async }

    /// Source: how the instance's memory would travel now; it may run.
    func memoryDivision(_ definition: InstanceDefinition) async throws -> MemoryDivision

    /// Source: begins to watch which pages the running instance writes, and starts what the dump
    /// will need of tools.
    ///
    /// - Parameters:
    ///   - streams: at least one, to the target's `receiveMemory`.
    ///   - checkpoint: to the target's `receiveCheckpoint`, for what is known of the state by now.
    ///   - cost: what a freeze has cost so far, apart from pages.
    func openMemory(
        _ definition: InstanceDefinition,
        over streams: [any ByteStream],
        checkpoint: any ByteStream,
        options: MoveOptions,
        cost: FreezeCost,
        progress: @escaping @Sendable (MemoryProgress) -> Void
    ) async throws -> any MemorySession
    /// Source: like `dump`, without the memory that a session carries.
    ///
    /// - Returns: whether the dump may have changed the instance's files.
    func dump(
        _ definition: InstanceDefinition, options: MoveOptions, without memory: CarriedMemory
    ) async throws -> Bool

    /// Source: gives the target pages of the frozen instance that it asks for, until it asks for no
    /// more. Nothing of a session is needed, so that a daemon that was restarted can do it.
    func servePages(_ definition: InstanceDefinition, over stream: any ByteStream) async throws

    /// Target: receives all rounds and keeps the pages in memory until `restore` hands them over.
    /// Returns when source and target agree that all is here.
    func receiveMemory(_ definition: InstanceDefinition, from streams: [any ByteStream])
        async throws
    /// Target: whether pages of the instance that has arrived (and may run) were left for later.
    func lacksMemory(_ definition: InstanceDefinition) async throws -> Bool
    /// Target: asks for such pages over one of `StreamHello.Purpose.pageChannels` streams, until
    /// none is left or the stream breaks.
    func fetchMemory(
        _ definition: InstanceDefinition, channel: Int, over stream: any ByteStream
    ) async throws
    /// Target: waits until no page is left to come.
    ///
    /// - Throws: if the instance can never have all of its memory; nothing of it runs any more.
    func waitForMemory(_ definition: InstanceDefinition) async throws -> MemoryReport.Fetch
}

/// One instance's memory on its way from the source.
///
/// The calls come in this order; `close` may come at any moment and more than once.
package protocol MemorySession: Sendable {
    /// Sends rounds while the instance runs, until the policy is content with memory and files.
    ///
    /// - Throws: what the policy's `abort` says, too.
    func sendRounds(beside files: any FilePasses) async throws
    /// Looks a last time at the frozen instance.
    func capture() async throws -> CarriedMemory
    /// Sends what `capture` found (only where it lies, if the policy's verdict is post-copy), and
    /// returns when the target has confirmed all.
    func finish() async throws
    /// Leaves nothing of the watching behind, whatever has happened.
    func close() async
    /// What has happened so far.
    var report: MemoryReport { get }
}

/// An instance's files, as they travel beside the rounds of its memory.
package protocol FilePasses: Sendable {
    /// One for each volume of which more is known than its first pass.
    var outlooks: [FileOutlook] { get }
    /// Sends what would be long in coming otherwise; takes little of the time of the rounds.
    func passWhereDue() async throws
    /// Sends what would make the freeze long: from all volumes whose outlook is a longer delta.
    ///
    /// - Parameter delta: milliseconds.
    func passBeforeFreeze(longerThan delta: Double) async throws
}

/// The mappings whose content a session carries, by the pid that this host reads them by: a dump
/// takes them for empty.
package struct CarriedMemory: Equatable, Sendable {
    package var ranges: [Int32: [Range<UInt64>]]
    /// What `/proc/PID/smaps` says of the mappings themselves, where that is known already.
    package var mappings: [Int32: [UInt8]]

    package init(ranges: [Int32: [Range<UInt64>]], mappings: [Int32: [UInt8]] = [:]) {
        self.ranges = ranges
        self.mappings = mappings
    }
}

/// How far a session has come.
package struct MemoryProgress: Equatable, Sendable {
    /// The round under way, from 1.
    package var round: Int
    /// Bytes on the wire in all rounds.
    package var sent: ByteCount
    /// Bytes of pages that this round has to send.
    package var dirty: ByteCount

    package init(round: Int, sent: ByteCount, dirty: ByteCount) {
        self.round = round
        self.sent = sent
        self.dirty = dirty
    }
}
