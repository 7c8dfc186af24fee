/// What a host tells to whoever listens, at the moment when it has become true.
package enum HostEvent: Codable, Equatable, Sendable {
    /// An instance has changed; the name is the one that it has now.
    case instance(InstanceName, Change, at: Timestamp)
    /// A migration has begun, entered a phase, or ended.
    case migration(MigrationReport)
    /// A running migration has got further; many of these.
    case progress(MigrationProgress)

    package enum Change: String, Codable, Sendable, CaseIterable {
        case created, started, stopped, restarted, frozen, unfrozen, renamed, deleted
        case restored
        case snapshotCreated = "snapshot-created"
        case snapshotDeleted = "snapshot-deleted"
        /// Its time was over.
        case snapshotExpired = "snapshot-expired"
        /// It runs on another host now and is gone here.
        case movedAway = "moved-away"
        /// It has come from another host.
        case arrived
    }
}
