/// Decides how often what has changed in a volume is sent before the freeze.
///
/// What is written during one pass is left for the next. Passes that become shorter leave less and
/// less, down to what is written in about a second; the last one travels while the instance stands
/// still. The rounds of memory after them take their time, too, so there are passes between these,
/// and before the freeze as long as `PrecopyPolicy` asks for them.
package struct VolumePassPolicy: Equatable, Sendable {
    /// Passes since the first one.
    package private(set) var count = 0
    private var last: Double
    private var before: Double?
    /// Bytes a second of the pass that had most.
    private var rate: Double
    /// The part of the last pass's time that its bytes alone would have taken.
    private var content = 0.0
    /// Seconds of the last pass for each second in which it was written to before; nil until there
    /// was a second pass.
    private var load: Double?

    /// - Parameters:
    ///   - seconds: what the first pass has taken, digests included.
    ///   - bytes: what it has sent.
    package init(first seconds: Double, bytes: Double) {
        last = seconds
        rate = bytes / max(seconds, Self.instant)
    }

    /// One more pass.
    ///
    /// - Parameters:
    ///   - bytes: what it has sent.
    ///   - seconds: what it has taken, look and digests included.
    ///   - interval: seconds between the beginnings of the pass before and of this one.
    package mutating func passed(
        sending bytes: Double, in seconds: Double, over interval: Double
    ) {
        count += 1
        load = seconds / max(interval, Self.instant)
        let own = bytes / max(seconds, Self.instant)
        rate = max(rate, own)
        content = rate > 0 ? own / rate : 0
        (before, last) = (last, seconds)
    }

    /// A look that has found nothing to send.
    package mutating func looked(for seconds: Double) {
        (load, content) = (0, 0)
        (before, last) = (last, seconds)
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
            isHeavy: delta > Self.short && content > Self.much, canPass: canGoOn)
    }

    /// What starting tools and looking through a tree takes; in seconds.
    private static let short = 1.0
    private static let clearly = 0.75
    private static let long = 2.0
    private static let share = 4.0
    private static let much = 0.1
    /// Shorter than anything that takes time.
    private static let instant = 0.001
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
