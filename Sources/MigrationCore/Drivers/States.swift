/// The process state of an instance that does not run, kept to go on from.
package struct SavedState: Codable, Equatable, Sendable {
    package enum Phase: String, Codable, Sendable {
        /// It is being written; the instance itself stands still, and is what counts.
        case saving
        /// It is what counts; nothing of the instance runs.
        case kept
        /// It was begun to go on from it. Where that was cut off, the instance may have run for a
        /// moment and have changed its files, to which the state then does not belong any more.
        case resuming
    }

    /// What its file is called: 32 lower-case hexadecimal digits.
    package var id: String
    package var phase: Phase
    package var created: Timestamp
    package var digest: String
    package var bytes: ByteCount

    package init(
        id: String, phase: Phase = .saving, created: Timestamp, digest: String = "",
        bytes: ByteCount = .zero
    ) {
        self.id = id
        self.phase = phase
        self.created = created
        self.digest = digest
        self.bytes = bytes
    }
}

/// What `start` makes of a saved state.
package enum StateUse: String, Codable, Sendable {
    /// Goes on from it if there is one, and if it is sure to belong to the instance's files.
    case ifKept
    /// Goes on from it in any case.
    case always
    /// Discards it and starts the instance anew.
    case never
}

/// Where saved process states are: one file each, on a disk.
package protocol StateKeeping: Sendable {
    /// Bytes that there is room for.
    var available: ByteCount { get throws }
    /// A new one to be written. It exists once `finish` has returned, and outlives a crash of the
    /// host.
    func write(_ id: String) async throws -> any ByteStream
    /// - Throws: `stateUnreadable` if there is none.
    func read(_ id: String) async throws -> any ByteStream
    /// There need not be one.
    func remove(_ id: String) async throws
    /// Removes every other one, and what a crash has left.
    func removeAll(but ids: Set<String>) throws
    /// Has the files below the directory, of one filesystem, outlive a crash of the host as they
    /// are now.
    func sync(_ directory: String) async throws
}
