import MigrationCore
import Synchronization

/// The bandwidth that all streams of one migration share; there may be no limit to it.
final class Throttle: Sendable {
    private let state: Mutex<State>
    private let start = ContinuousClock.now

    private struct State {
        var rate: ByteCount?
        var bucket: TokenBucket?
        /// Counts the changes.
        var era = 0
    }

    init(rate: ByteCount?) {
        let bucket = rate.map { TokenBucket(rate: $0, now: .zero) }
        state = Mutex(State(rate: rate, bucket: bucket))
    }

    /// Holds at once: who waits by the old rate waits no longer.
    func change(rate: ByteCount?) {
        let now = ContinuousClock.now - start
        state.withLock { state in
            guard state.rate != rate else { return }
            let bucket = rate.map { TokenBucket(rate: $0, now: now) }
            state = State(rate: rate, bucket: bucket, era: state.era + 1)
        }
    }

    /// Returns when `bytes` may be sent, or earlier once `isOver` says that nothing will be.
    func pass(_ bytes: Int, unless isOver: @Sendable () -> Bool) async throws {
        let now = ContinuousClock.now
        let (wait, era) = state.withLock { state in
            (state.bucket?.take(bytes, now: now - start) ?? .zero, state.era)
        }
        let due = now + wait
        while !isOver(), ContinuousClock.now < due, state.withLock({ $0.era == era }) {
            try await Task.sleep(until: min(due, ContinuousClock.now + .milliseconds(100)))
        }
    }
}

/// One throttle for each migration that has streams open.
final class Throttles: Sendable {
    private struct Entry { weak var throttle: Throttle? }
    private let entries = Mutex<[MigrationID: Entry]>([:])

    /// The migration's throttle, at the rate that was asked for last.
    func throttle(for migration: MigrationID, rate: ByteCount?) -> Throttle {
        entries.withLock { entries in
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

    func change(_ migration: MigrationID, rate: ByteCount?) {
        entries.withLock { $0[migration]?.throttle }?.change(rate: rate)
    }
}
