/// What the source has written down about a migration, durable before it acts on it.
///
/// Only a record that is `closed` may ever be pruned: every other one still decides something.
package enum SourceRecord: Codable, Equatable, Sendable {
    /// The instance is locked; it may be frozen. A restart thaws it and cleans up.
    case begun
    /// Only the target's answer decides. A restart asks for it and does not thaw.
    case custodyOffered
    /// The target has all of it, or a person lets go of the original. A restart ends the original
    /// (again); until then its name stays taken.
    case confirmed(Receipt)
    /// The original is gone and its name is free: an instance of that name may have come since, so
    /// that nothing is ended any more. A restart acknowledges the receipt (again).
    case ended(Receipt)
    /// The instance is the source's. A restart thaws it (again) and cleans up.
    case reverting(GodwitError)
    /// Nothing is left to do.
    case closed
}

/// What the target has written down about a migration, durable before it acts on it.
///
/// Only a record that is `closed` or `cleaned` may ever be pruned; a target that has forgotten the
/// migration declines it for ever, which is what `cleaned` says, and the source of a `closed` one
/// asks no more.
package enum TargetRecord: Codable, Equatable, Sendable {
    /// Volumes and namespaces may exist here. A restart removes them and declines.
    case prepared
    /// Custody is the target's; the restore may be under way. A restart looks whether it is
    /// complete.
    case taken
    /// The instance has run here and lacks memory, which the source keeps. A restart goes on
    /// fetching; nothing but a person can give the instance back any more.
    case running(Receipt)
    /// The instance has run here and cannot go on, or a person has given up what ran; nothing of it
    /// may be whole. A restart waits for a person's word.
    case lost(GodwitError)
    /// The instance is the target's for good. A restart repeats the receipt when asked.
    case finished(Receipt)
    /// Never to be taken. A restart removes what is left and repeats it when asked.
    case declined(GodwitError)
    /// Never to be taken, and nothing is left here: an instance of that name may have come since,
    /// so that nothing is removed any more. A restart repeats it when asked.
    case cleaned(GodwitError)
    /// The source has said that it knows of the receipt; nothing is left to do.
    case closed
}
