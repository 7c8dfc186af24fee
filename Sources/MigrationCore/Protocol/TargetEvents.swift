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
    case stepFailed(GodwitError)
    case linkLost
    /// Nothing of the instance can run here any more; files may remain.
    case discarded
    /// Nothing of the migration is left here.
    case cleaned
    case cancelled(GodwitError)
}

/// What the target's engine has to do, in this order.
package enum TargetAction: Equatable, Sendable {
    case record(TargetRecord)
    case send(Message)
    case check(Offer)
    case prepare(Offer, Plan)
    /// Receive volumes, deltas and process state on the streams that the source opens.
    case receiveState
    case restore
    case stopSteps
    /// Kill whatever a restore may have started; must be quick, may be asked twice.
    case discard
    /// Remove volumes, directories and reservations; may be asked twice.
    case cleanUp
    /// The instance is this host's: unlock it, tell whoever listens.
    case adopt(Receipt)
    case conclude(Outcome)
    case disconnect
}
