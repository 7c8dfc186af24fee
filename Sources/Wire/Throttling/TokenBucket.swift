package import MigrationCore

/// Bandwidth as arithmetic: who sends goes into debt and waits until it is paid.
///
/// Time is whatever clock the caller has, as the duration since any fixed moment.
package struct TokenBucket: Equatable {
    /// Bytes a second.
    package let rate: Double
    private var balance: Double
    private var last: Duration

    /// What may leave at once after a pause: a tenth of a second's worth.
    private var burst: Double { rate / 10 }

    package init(rate: ByteCount, now: Duration) {
        precondition(rate > .zero, "a bandwidth of nothing")
        self.rate = Double(rate.bytes)
        last = now
        balance = Double(rate.bytes) / 10
    }

    /// Takes `bytes` and says how long to wait before they may be sent.
    package mutating func take(_ bytes: Int, now: Duration) -> Duration {
        precondition(bytes >= 0)
        let passed = max(now, last) - last
        last = max(now, last)
        balance = min(burst, balance + passed / .seconds(1) * rate) - Double(bytes)
        return balance >= 0 ? .zero : .seconds(-balance / rate)
    }
}
