/// Decides how often what has changed in a volume is sent before the freeze.
///
/// What is written during one pass is left for the next. Passes that become shorter leave less and
/// less, down to what is written in about a second; the last one travels while the instance stands
/// still. The rounds of memory after them take their time, too, so there are passes between these.
package struct VolumePassPolicy: Equatable, Sendable {
    /// Passes since the first one.
    package private(set) var count = 0
    private var last: Double
    private var before: Double?

    /// - Parameter seconds: what the first pass has taken, digests included.
    package init(first seconds: Double) { last = seconds }

    /// One more pass.
    package mutating func passed(in seconds: Double) {
        count += 1
        looked(for: seconds)
    }

    /// A look that has found nothing to send.
    package mutating func looked(for seconds: Double) { (before, last) = (last, seconds) }

    private var canGoOn: Bool { count < Limit.volumePasses }

    /// Whether a pass right after the last would leave clearly less.
    package var pays: Bool {
        guard canGoOn, last > Self.short else { return false }
        return before.map { last < $0 * Self.clearly } ?? true
    }

    /// Whether there is to be a pass between two rounds of memory. It takes little of the time that
    /// these take, as memory is written to meanwhile.
    ///
    /// - Parameter elapsed: seconds since the last pass began.
    package func isDue(after elapsed: Double) -> Bool {
        canGoOn && elapsed > max(Self.long, last * Self.share)
    }

    /// What starting tools and looking through a tree takes; in seconds.
    private static let short = 1.0
    private static let clearly = 0.75
    private static let long = 2.0
    private static let share = 4.0
}
