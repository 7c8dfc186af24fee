/// Decides how often what has changed in a volume is sent before the freeze.
///
/// What is written during one pass is left for the next. Passes that become shorter leave less and
/// less, down to what is written in about a second; the last one travels while the instance stands
/// still. The rounds of memory after them take their time, too, so there are passes between these,
/// and before the freeze as long as `FilePolicy` asks for them.
package struct VolumePassPolicy: Equatable, Sendable {
    /// Passes since the first one.
    package private(set) var count = 0
    private var last: Double
    private var before: Double?
    /// Seconds that the last look through the tree took.
    private var looking = 0.0
    /// Seconds of the last pass for each second in which it was written to before; nil until there
    /// was a second pass.
    private var load: Double?

    /// - Parameter seconds: what the first pass has taken, digests included.
    package init(first seconds: Double) { last = seconds }

    /// One more pass.
    ///
    /// - Parameters:
    ///   - seconds: what it has taken, look and digests included.
    ///   - interval: seconds between the beginnings of the pass before and of this one.
    ///   - looking: seconds that the look for changes took.
    package mutating func passed(in seconds: Double, over interval: Double, looking: Double) {
        count += 1
        load = seconds / max(interval, 0.001)
        went(in: seconds, looking)
    }

    /// A look that has found nothing to send.
    package mutating func looked(for seconds: Double) {
        load = 0
        went(in: seconds, seconds)
    }

    private mutating func went(in seconds: Double, _ looking: Double) {
        (before, last) = (last, seconds)
        self.looking = looking
    }

    private var canGoOn: Bool { count < Limit.volumePasses }

    /// Whether a pass right after the last would leave clearly less.
    package var pays: Bool {
        canGoOn && last > Self.short && isShrinking
    }

    private var isShrinking: Bool { before.map { last < $0 * Self.clearly } ?? true }

    /// Whether there is to be a pass between two rounds of memory. It takes little of the time that
    /// these take, as memory is written to meanwhile.
    ///
    /// - Parameter elapsed: seconds since the last pass began.
    package func isDue(after elapsed: Double) -> Bool {
        canGoOn && elapsed > max(Self.long, last * Self.share)
    }

    /// What a freeze would meet now; nil where only the first pass is known.
    ///
    /// - Parameter elapsed: seconds since the last pass began.
    package func outlook(after elapsed: Double) -> FileOutlook? {
        guard let load else { return nil }
        let delta = load * elapsed
        // After one more pass memory has to follow, for no longer than that has taken.
        let following = min(max(elapsed - last, 0), delta)
        let leavesLess = isShrinking && load * (delta + following) < delta * Self.clearly
        return FileOutlook(
            delta: delta * 1_000, load: load, isWorthwhile: canGoOn && leavesLess,
            isHeavy: delta > max(Self.short, looking * Self.share), canPass: canGoOn)
    }

    /// What starting tools and looking through a tree takes; in seconds.
    private static let short = 1.0
    private static let clearly = 0.75
    private static let long = 2.0
    private static let share = 4.0
}

/// What is known of a volume's files before a freeze.
package struct FileOutlook: Equatable, Sendable {
    /// Milliseconds that what has changed would take to send now.
    package let delta: Double
    /// Seconds of sending for each second of writing: from 1 on no pass is shorter than the last.
    package let load: Double
    /// Whether one more pass would leave clearly less.
    package let isWorthwhile: Bool
    /// Whether it is what the instance writes that takes so long, and not the way it is looked for.
    package let isHeavy: Bool
    /// Whether there may be another pass.
    package let canPass: Bool

    package init(delta: Double, load: Double, isWorthwhile: Bool, isHeavy: Bool, canPass: Bool) {
        self.delta = delta
        self.load = load
        self.isWorthwhile = isWorthwhile
        self.isHeavy = isHeavy
        self.canPass = canPass
    }
}
