/// Decides how often what has changed in a volume is sent before the freeze.
///
/// What is written during one pass is left for the next. Passes that become shorter leave less and
/// less, down to what is written in about a second; the last one travels while the instance stands
/// still. The rounds of memory after them take their time, too, so there are passes between these.
package struct VolumePassPolicy: Equatable, Sendable {
    private var seconds: [Double]

    /// - Parameter seconds: what the first pass has taken, digests included.
    package init(first seconds: Double) { self.seconds = [seconds] }

    /// One more pass, or a look that has found nothing to send.
    package mutating func passed(in seconds: Double) { self.seconds.append(seconds) }

    private var canGoOn: Bool { seconds.count <= Limit.volumePasses }
    private var last: Double { seconds[seconds.count - 1] }

    /// Whether a pass right after the last would leave clearly less.
    package var pays: Bool {
        guard canGoOn, last > Self.short else { return false }
        return seconds.count == 1 || last < seconds[seconds.count - 2] * Self.clearly
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
