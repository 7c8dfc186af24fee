/// What one migration looks like at one moment, on the side that wrote it; kept on both sides.
package struct MigrationReport: Codable, Equatable, Sendable {
    package enum Status: String, Codable, Sendable, CaseIterable {
        case running, succeeded, failed, cancelled
        /// Only the peer's journal or a person can tell how it ended.
        case undecided
    }

    package var id: MigrationID
    package var side: Side
    package var instance: InstanceName
    package var newName: InstanceName
    package var peer: String
    package var mode: MoveOptions.Mode
    package var status: Status
    package var phase: Phase
    package var started: Timestamp
    package var ended: Timestamp?
    package var phases: [PhaseTime]
    /// Bytes on the wire by kind: `snapshots`, `volume` (first passes), `passes` (between
    /// these and the freeze), `delta`, `memory`, `checkpoint`.
    package var bytes: [String: UInt64]
    /// Over volumes, between the first ones and the freeze; nil without any.
    package var passes: [Pass]?
    /// Milliseconds of the downtime by part: `freeze`, `scan` (the last look at memory), `memory`
    /// (sending its last pages), `checkpoint` (the dump), `images` (sending it), `delta`,
    /// `transfer`, `restore`, `network`; they overlap where the parts do. After a failure `thaw`:
    /// from the decision to turn back until it ran.
    package var downtime: [String: Double]
    /// From the freeze until the target said that the instance runs; nil for a cold move.
    package var downtimeMilliseconds: Double?
    package var statistics: [String: Double]
    /// How the memory travelled, if it went ahead of the freeze.
    package var memory: MemoryReport?
    /// What became of each mount, by its place in the instance; nil without mounts, and until that
    /// was agreed.
    package var mounts: [String: MountTreatment]?
    package var error: GodwitError?

    package init(
        id: MigrationID,
        side: Side,
        instance: InstanceName,
        newName: InstanceName,
        peer: String,
        mode: MoveOptions.Mode,
        started: Timestamp
    ) {
        self.id = id
        self.side = side
        self.instance = instance
        self.newName = newName
        self.peer = peer
        self.mode = mode
        status = .running
        phase = .begin
        self.started = started
        phases = []
        bytes = [:]
        downtime = [:]
        statistics = [:]
    }

    /// Over one volume while the instance ran.
    package struct Pass: Codable, Equatable, Sendable {
        package var volume: String
        /// From 2: the first pass is the volume's own.
        package var number: Int
        package var bytes: UInt64
        /// The look for changes and digests included.
        package var milliseconds: Double

        package init(volume: String, number: Int, bytes: UInt64, milliseconds: Double) {
            self.volume = volume
            self.number = number
            self.bytes = bytes
            self.milliseconds = milliseconds
        }
    }

    package struct PhaseTime: Codable, Equatable, Sendable {
        package var phase: Phase
        package var milliseconds: Double

        package init(phase: Phase, milliseconds: Double) {
            self.phase = phase
            self.milliseconds = milliseconds
        }
    }
}

/// What a running migration shows while it runs.
package struct MigrationProgress: Codable, Equatable, Sendable {
    package var id: MigrationID
    package var phase: Phase
    /// What is being done, as one of the plan's steps in words.
    package var step: String
    package var volumeSent: ByteCount
    package var volumeTotal: ByteCount?
    package var checkpointSent: ByteCount
    package var bytesPerSecond: ByteCount
    package var secondsLeft: Double?

    package init(
        id: MigrationID,
        phase: Phase,
        step: String,
        volumeSent: ByteCount = .zero,
        volumeTotal: ByteCount? = nil,
        checkpointSent: ByteCount = .zero,
        bytesPerSecond: ByteCount = .zero,
        secondsLeft: Double? = nil
    ) {
        self.id = id
        self.phase = phase
        self.step = step
        self.volumeSent = volumeSent
        self.volumeTotal = volumeTotal
        self.checkpointSent = checkpointSent
        self.bytesPerSecond = bytesPerSecond
        self.secondsLeft = secondsLeft
    }
}
