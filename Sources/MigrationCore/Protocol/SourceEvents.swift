/// What happens to the source's half of a migration.
package enum SourceEvent: Equatable, Sendable {
    case started
    /// Begin is over: the instance is locked against change and described.
    case inspected(Offer)
    /// The control connection stands (also after a restart or a broken link).
    case linked
    case linkLost
    case received(Message)
    /// Every volume's first pass is over.
    case volumesSent
    case frozen
    /// Deltas and checkpoint are sent; the digests are of what stands here.
    case stateSent(Digests)
    case stepFailed(GodwitError)
    case cancelled(GodwitError)
    /// The instance runs again (or stands as before) and nothing of the migration is left.
    case reverted
    /// The original and what belonged to it are gone.
    case originalEnded
    /// A person decided what no journal can tell any more.
    case resolved(Resolution)
}

/// What a person says when the peer is gone for good: `godwit resolve NAME --keep-here | --gone`.
package enum Resolution: String, Codable, Equatable, Sendable {
    case keepHere, gone
}

/// What the source's engine has to do, in this order.
package enum SourceAction: Equatable, Sendable {
    /// Write durably; what follows may happen only after it.
    case record(SourceRecord)
    case inspect
    /// Open the control connection and keep trying; answered by `linked`. While custody has not been
    /// offered a failure is answered by `linkLost`.
    case connect
    case send(Message)
    case sendVolumes(Acceptance)
    case freeze
    /// Deltas and process state, side by side.
    case sendState
    /// End every running step; none of them reports any more.
    case stopSteps
    /// Thaw, remove what was made, unlock; may be asked twice.
    case revert
    /// End the frozen original and what belonged to it; may be asked twice.
    case endOriginal
    /// Tell whoever waits how it ended.
    case conclude(Outcome)
    /// Close the connection; nothing more will be said.
    case disconnect
}

/// How a migration ended, for whoever asked for it.
package enum Outcome: Codable, Equatable, Sendable {
    case moved(Receipt)
    case notMoved(GodwitError)
}
