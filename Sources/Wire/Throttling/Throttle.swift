import MigrationCore
import Synchronization

/// The bandwidth that all streams of one migration share.
final class Throttle: Sendable {
    private let bucket: Mutex<TokenBucket>
    private let start = ContinuousClock.now

    init(rate: ByteCount) {
        bucket = Mutex(TokenBucket(rate: rate, now: .zero))
    }

    func change(rate: ByteCount) { bucket.withLock { $0.change(rate: rate) } }

    /// Returns when `bytes` may be sent, or earlier once `isOver` says that nothing will be.
    func pass(_ bytes: Int, unless isOver: @Sendable () -> Bool) async throws {
        let now = ContinuousClock.now
        let due = now + bucket.withLock { $0.take(bytes, now: now - start) }
        while !isOver(), ContinuousClock.now < due {
            try await Task.sleep(until: min(due, ContinuousClock.now + .milliseconds(100)))
        }
    }
}

/// One throttle for each migration that has streams open and a limit.
final class Throttles: Sendable {
    private struct Entry { weak var throttle: Throttle? }
    private let entries = Mutex<[MigrationID: Entry]>([:])

    /// The migration's throttle, at the rate that was asked for last.
    func throttle(for migration: MigrationID, rate: ByteCount?) -> Throttle? {
        guard let rate, rate > .zero else { return nil }
        return entries.withLock { entries in
            entries = entries.filter { $0.value.throttle != nil }
            if let known = entries[migration]?.throttle {
                known.change(rate: rate)
                return known
            }
            let made = Throttle(rate: rate)
            entries[migration] = Entry(throttle: made)
            return made
        }
    }
}
