/// What happens to the target's half of a migration.
package enum TargetEvent: Equatable, Sendable {
    case received(Message)
    /// The checks are done: what they found, and the plan if nothing was refused.
    case checked(findings: [Finding], plan: Plan?)
    /// Space, volumes, namespaces and receivers stand.
    case prepared
    /// Volumes with their deltas and the process state are here, with the digests of what arrived.
    case stateArrived(Digests)
    case restored(Receipt)
    /// All memory that was to follow is here; nil if there was none. May come before `restored`.
    case fetched(MemoryReport.Fetch?)
    case stepFailed(GodwitError)
    /// The instance can never have all of its memory: what kept it here has ended, or the source
    /// has nothing to give any more. A broken link is no failure.
    case fetchFailed(GodwitError)
    /// The newest connection on which the source spoke of this migration is closed or dead.
    case linkLost
    /// Nothing of the instance can run here any more; files may remain.
    case discarded
    /// Nothing of the migration is left here.
    case cleaned
    case cancelled(GodwitError)
    /// A person gives up what runs here without all of its memory, or is lost here.
    case givenUp(GodwitError)
}

/// What the target's engine has to do, in this order.
package enum TargetAction: Equatable, Sendable {
    case record(TargetRecord)
    case send(Message)
    case check(Offer)
    case prepare(Offer, Plan)
    /// Receive volumes, deltas and process state on the streams that the source opens.
    case receiveState
    /// It fails, too, when it waits for memory that can never come.
    case restore
    /// Fetch the memory that follows the instance from the source, beside the restore and after it,
    /// over as many broken links and restarts as there are. Answered by `fetched` or `fetchFailed`,
    /// never by `stepFailed`.
    case fetch
    /// No page comes any more: the fetch ends now, by `fetched` if all memory is here, else by
    /// `fetchFailed`. Asked when it has ended by itself, it is nothing.
    case endFetch
    case stopSteps
    /// Kill whatever a restore may have started, also in an earlier life of the daemon; must be
    /// quick, may be asked twice. It is repeated until it has succeeded: only `discarded` answers
    /// it.
    case discard
    /// Remove volumes, directories and reservations of this migration; may be asked twice. It is
    /// repeated until it has succeeded: only `cleaned` answers it. The name stays taken until then.
    case cleanUp(after: GodwitError)
    /// The instance is this host's: unlock it, tell whoever listens. May be asked again after each
    /// restart until the source has acknowledged, also when the instance has moved on since.
    case adopt(Receipt)
    /// Tell whoever waits how it ended; may be told twice.
    case conclude(Outcome)
    /// Say what is still to be said, then close the connection.
    case disconnect
}
