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
    /// Open the control connection and keep trying; answered by `linked`. While custody has not
    /// been offered a failure is answered by `linkLost`. Asked again while it is tried, it is one
    /// attempt.
    case connect
    case send(Message)
    case sendVolumes(Acceptance)
    case freeze
    /// Deltas and process state, side by side.
    case sendState
    /// Give the target the pages that it asks for, until the step is ended; asked again while it
    /// runs, it is one step. It never reports, and goes on when the link breaks. After a restart
    /// it may be asked although nothing is owed to the target.
    case servePages
    /// End every running step; none of them reports any more.
    case stopSteps
    /// Thaw, remove what was made, unlock; may be asked twice. It also ends tools that an earlier
    /// life of the daemon left behind, and is repeated until it has succeeded: only `reverted`
    /// answers it.
    case revert
    /// End the frozen original and what belonged to it; may be asked twice. It is repeated until it
    /// has succeeded: only `originalEnded` answers it. The name stays taken until then.
    case endOriginal
    /// Tell whoever waits how it ended; may be told twice.
    case conclude(Outcome)
    /// Say what is still to be said, then close the connection or stop trying to open it.
    case disconnect
}

/// How a migration ended, for whoever asked for it.
package enum Outcome: Codable, Equatable, Sendable {
    case moved(Receipt)
    case notMoved(GodwitError)
    /// It was a dry run: this is what a move would do. Nothing was touched.
    case planned(Plan)
}
