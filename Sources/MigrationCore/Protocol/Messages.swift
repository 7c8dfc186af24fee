/// What stands around every control message.
package struct Envelope: Codable, Equatable, Sendable {
    package let version: Int
    package let migration: MigrationID
    package let message: Message

    enum CodingKeys: String, CodingKey { case version, migration, message }

    package init(version: Int, migration: MigrationID, message: Message) {
        self.version = version
        self.migration = migration
        self.message = message
    }
}

/// All that the two sides of a migration say to each other on the control connection.
///
///     source                              target
///       | offer                              |   Begin is over
///       |----------------------------------->|   Prepare
///       |                  accepted, refused |
///       |<-----------------------------------|
///       | (volumes, delta, checkpoint on streams of their own)
///       |                            arrived |   Perform
///       |<-----------------------------------|
///       | custody                            |
///       |----------------------------------->|   Finish
///       |        running, finished, declined |
///       |<-----------------------------------|
///       | acknowledged                       |
///       |----------------------------------->|   Confirm
///       |                             closed |
///       |<-----------------------------------|
///
/// `running` comes before `finished` where the instance runs and memory still has to follow: the
/// source keeps the frozen original and serves its pages until it hears `finished`.
///
/// `lost` comes where that memory is out of reach for good. It is not undone without a person.
///
/// Before custody is offered the source may say `abort` and the target `declined` at any moment.
/// After a broken link or a restart the source says `inquire`, or `acknowledged` if it has the
/// receipt.
package enum Message: Codable, Equatable, Sendable {
    case offer(Offer)
    case accepted(Acceptance)
    case refused([Finding])
    case arrived(Digests)
    case custody
    case finished(Receipt)
    /// A promise: the target does not hold custody of this migration and will never take it.
    case declined(GodwitError)
    case acknowledged
    case closed
    case abort(GodwitError)
    case inquire
    /// The target has custody and is not done with the restore.
    case restoring
    /// The instance runs on the target and lacks memory that the source still has.
    case running(Receipt)
    /// It ran on the target and cannot go on there: memory that it lacked is out of reach for good.
    /// A person decides whether the original, which is older, goes on instead: `abort` then asks
    /// for `declined`, and `acknowledged` says that both are given up.
    case lost(GodwitError)

    /// The message's name as the protocol's description spells it.
    package var word: String {
        switch self {
        case .offer: "offer"
        case .accepted: "accepted"
        case .refused: "refused"
        case .arrived: "arrived"
        case .custody: "custody"
        case .finished: "finished"
        case .declined: "declined"
        case .acknowledged: "acknowledged"
        case .closed: "closed"
        case .abort: "abort"
        case .inquire: "inquire"
        case .restoring: "restoring"
        case .running: "running"
        case .lost: "lost"
        }
    }
}

/// The source's cookie: all that the target must know to check, plan and prepare.
package struct Offer: Codable, Equatable, Sendable {
    package var capabilities: Capabilities
    package var definition: InstanceDefinition
    package var instance: InstanceFacts
    package var host: HostFacts
    package var options: MoveOptions
    /// Nothing is prepared; the target answers with its plan or its findings and forgets.
    package var isDryRun: Bool
    /// For how long the source keeps a copy of the files after the move; nil: not at all.
    package var keepSeconds: UInt32?

    package init(
        capabilities: Capabilities = .own,
        definition: InstanceDefinition,
        instance: InstanceFacts,
        host: HostFacts,
        options: MoveOptions,
        isDryRun: Bool = false,
        keepSeconds: UInt32? = nil
    ) {
        self.keepSeconds = keepSeconds
        self.capabilities = capabilities
        self.definition = definition
        self.instance = instance
        self.host = host
        self.options = options
        self.isDryRun = isDryRun
    }

    /// Whether the instance has snapshots, and nobody has given them up.
    package var wantsSnapshots: Bool {
        options.dropsSnapshots != true && !(instance.snapshots ?? []).isEmpty
    }
}

/// The target's cookie: the agreed plan, and the version and features that both know.
package struct Acceptance: Codable, Equatable, Sendable {
    package var version: Int
    package var features: [String]
    package var plan: Plan

    package init(version: Int, features: [String], plan: Plan) {
        self.version = version
        self.features = features
        self.plan = plan
    }
}

/// Proof of what stands on one side: a digest of each volume's tree, and of the process state.
package struct Digests: Codable, Equatable, Sendable {
    package var volumes: [String: String]
    /// Nil where no process state travels (a cold move).
    package var checkpoint: String?

    package init(volumes: [String: String], checkpoint: String?) {
        self.volumes = volumes
        self.checkpoint = checkpoint
    }
}

/// The target's word that the instance is its own now and (unless paused or stopped) runs.
package struct Receipt: Codable, Equatable, Sendable {
    package var name: InstanceName
    package var isRunning: Bool
    /// Where the time on the target went, in milliseconds, by part (`restore`, `network`).
    package var milliseconds: [String: Double]
    /// How the memory came that followed the instance; nil if all had come before it ran.
    package var fetched: MemoryReport.Fetch?
    /// Why there is no instance any more: the target has lost it, and a person has given it up.
    /// Only the source writes such a receipt, and for itself.
    package var loss: GodwitError?

    package init(
        name: InstanceName, isRunning: Bool, milliseconds: [String: Double],
        fetched: MemoryReport.Fetch? = nil, loss: GodwitError? = nil
    ) {
        self.name = name
        self.isRunning = isRunning
        self.milliseconds = milliseconds
        self.fetched = fetched
        self.loss = loss
    }

    /// What whoever waits is told once the original has ended.
    var outcome: Outcome { loss.map { .notMoved($0) } ?? .moved(self) }
}
