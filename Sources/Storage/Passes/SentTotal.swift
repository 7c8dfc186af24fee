import MigrationCore
import Synchronization

/// The progress of several sessions, one after another, as one.
final class SentTotal: Sendable {
    private let progress: @Sendable (TransferProgress) -> Void
    private let counts = Mutex((before: ByteCount.zero, now: ByteCount.zero))

    init(_ progress: @escaping @Sendable (TransferProgress) -> Void) { self.progress = progress }

    /// What the next session tells.
    func next() -> @Sendable (TransferProgress) -> Void {
        counts.withLock { $0 = ($0.before + $0.now, .zero) }
        return { [self] session in
            let all = counts.withLock { counts in
                counts.now = session.sent
                return counts.before + counts.now
            }
            progress(TransferProgress(sent: all))
        }
    }
}
