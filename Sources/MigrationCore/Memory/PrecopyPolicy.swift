/// Decides, from numbers alone, whether another round of memory pays off.
///
/// Asked after each scan, with what the scan has found: those pages travel in the next round or,
/// once the instance is frozen, in the last one. It asks for at most `options.rounds` rounds,
/// whatever the numbers.
///
/// | what is seen, first match                          | verdict                              |
/// |----------------------------------------------------|--------------------------------------|
/// | nothing is left to send                            | freeze                               |
/// | nothing has been sent yet, and rounds are allowed  | another round                        |
/// | no rounds are allowed, `atDeadline` is postcopy    | post-copy                            |
/// | the prediction is within the budget, and the rest  | freeze                               |
/// | is small or was not nearly halved by the last round|                                      |
/// | the fixed cost alone is above it, the rest is small| freeze                               |
/// | the deadline is reached                            | as `atDeadline` says                 |
/// | the limit of rounds is reached                     | as `atDeadline` says                 |
/// | rounds no longer shrink, and may be throttled      | another round, with less processor   |
/// | rounds no longer shrink, `atDeadline` is postcopy  | post-copy                            |
/// | rounds no longer shrink, `atDeadline` is freeze    | freeze, at the next small point      |
/// | anything else                                      | another round                        |
package struct PrecopyPolicy: Sendable {
    /// What was sent while the instance ran.
    package struct Round: Equatable, Sendable {
        /// Pages that the scan before it had found.
        package let pages: UInt64
        /// Those of them that travelled: neither zero nor repeated nor gone.
        package let content: UInt64
        /// On the wire.
        package let bytes: UInt64
        package let seconds: Double

        package init(pages: UInt64, content: UInt64, bytes: UInt64, seconds: Double) {
            self.pages = pages
            self.content = content
            self.bytes = bytes
            self.seconds = seconds
        }
    }

    package let options: MemoryOptions
    package let cost: FreezeCost
    private let pageSize: Double
    private(set) var rounds: [Round] = []
    /// Milliseconds that were predicted at each scan since the first round, or since the instance
    /// was slowed down.
    private var predictions: [Double] = []
    /// Milliseconds for pages alone, at the same scans.
    private var sendings: [Double] = []
    /// The part of its processor time that the instance is left with, for memory or for files.
    var processorShare = 1.0
    /// Passes over files since it was slowed down for these.
    var passesSlowed: Int?
    /// Scans since rounds were seen to shrink no longer.
    private var waited: Int?

    /// Scans over which rounds have to shrink.
    private static let window = 4
    /// Less than this over the window is no shrinking.
    private static let shrinking = 0.9
    /// Scans for which a smaller point is waited for, once rounds no longer shrink.
    private static let patience = 4
    /// A round that leaves less than this part of what the one before left may have a successor.
    private static let worthwhile = 0.6
    /// As good as the smallest.
    private static let nearlySmallest = 1.15

    package init(options: MemoryOptions, cost: FreezeCost, pageSize: Int) {
        self.options = options
        self.cost = cost
        self.pageSize = Double(pageSize)
    }

    /// Tells of a round that was sent.
    package mutating func sent(_ round: Round) { rounds.append(round) }

    /// Tells that a pass over files took the time: whether rounds shrink is seen anew.
    package mutating func interrupted() { forget() }

    private mutating func forget() {
        predictions = []
        sendings = []
        waited = nil
    }

    /// - Parameter found: pages that the latest scan has found.
    /// - Parameter elapsed: seconds since the first scan.
    package mutating func verdict(found: UInt64, elapsed: Double) -> PrecopyVerdict {
        let sending = sending(found)
        let predicted = cost.downtime(sending: sending)
        if found == 0 {
            return PrecopyVerdict(.freeze, "no page was written meanwhile", prediction: predicted)
        }
        if rounds.isEmpty, options.rounds > 0 {
            return PrecopyVerdict(
                .anotherRound, "the first round sends \(size(found))", prediction: predicted)
        }
        if rounds.isEmpty, options.atDeadline == .postcopy {
            return PrecopyVerdict(
                .postcopy, "no rounds are allowed, so that \(size(found)) follow the instance",
                prediction: cost.total)
        }
        predictions.append(predicted)
        sendings.append(sending)
        if let ending = goalReached(found, predicted, elapsed) ?? limitReached(predicted, elapsed) {
            return ending
        }
        return stalled(predicted)
            ?? PrecopyVerdict(
                .anotherRound,
                "\(size(found)) are left, which would make \(milliseconds(predicted)) of downtime, "
                    + "\(milliseconds(options.downtimeBudget)) are allowed", prediction: predicted)
    }

    /// Milliseconds that so many pages would take, by the rounds so far: the latest count most.
    private func sending(_ pages: UInt64) -> Double {
        // The first round is like no other: it has all the zeros. What is written later is content.
        let isFirst = rounds.count == 1
        let latest = rounds.dropFirst(isFirst ? 0 : 1).suffix(3)
        let seconds = latest.reduce(0) { $0 + $1.seconds }
        let bytes = latest.reduce(0) { $0 + Double($1.bytes) }
        guard seconds > 0, bytes > 0 else { return 0 }
        let travelled = latest.reduce(0) { $0 + Double(isFirst ? $1.content : $1.pages) }
        let perPage = travelled > 0 ? bytes / travelled : pageSize
        return Double(pages) * perPage / (bytes / seconds) * 1_000
    }
}

extension PrecopyPolicy {
    /// Milliseconds that are small beside what does not depend on memory.
    private var little: Double { max(5, cost.total / 10) }

    /// The prediction at which more rounds are not worth their while.
    private var goal: Double {
        cost.total < options.downtimeBudget ? options.downtimeBudget : cost.total + little
    }

    /// Whether another round would leave much less to send: pages that travel beside the dump take
    /// processor time from it, so that few are better also within the budget.
    private func isWorthwhile(after elapsed: Double) -> Bool {
        guard let last = sendings.last, last > little, rounds.count < options.rounds,
            elapsed < options.deadline ?? .infinity
        else { return false }
        return sendings.count < 2 || last < sendings[sendings.count - 2] * Self.worthwhile
    }

    private func goalReached(
        _ found: UInt64, _ predicted: Double, _ elapsed: Double
    ) -> PrecopyVerdict? {
        guard predicted <= goal, !isWorthwhile(after: elapsed) else { return nil }
        let left = "\(size(found)) are left: \(milliseconds(predicted)) of downtime"
        let isWithin = predicted <= options.downtimeBudget
        let why =
            isWithin
            ? "\(left), within the budget of \(milliseconds(options.downtimeBudget))"
            : "\(left), of which \(milliseconds(cost.total)) do not depend on memory"
        return PrecopyVerdict(.freeze, why, prediction: predicted)
    }

    private func limitReached(_ predicted: Double, _ elapsed: Double) -> PrecopyVerdict? {
        if let deadline = options.deadline, elapsed >= deadline {
            return giveUp("the deadline of \(seconds(deadline)) is reached", predicted)
        }
        guard rounds.count >= options.rounds else { return nil }
        return giveUp("the limit of \(options.rounds) rounds is reached", predicted)
    }

    private func giveUp(_ why: String, _ predicted: Double) -> PrecopyVerdict {
        let step: PrecopyVerdict.Step =
            switch options.atDeadline {
            case .freeze: .freeze
            case .postcopy: .postcopy
            case .abort: .abort
            }
        let reason = "\(why) with \(milliseconds(predicted)) of downtime still predicted"
        return PrecopyVerdict(
            step, reason, prediction: step == .postcopy ? cost.total : predicted)
    }

    private mutating func stalled(_ predicted: Double) -> PrecopyVerdict? {
        guard waited != nil || !isShrinking else { return nil }
        if options.throttle, processorShare > 0.2 { return slowDown(predicted) }
        switch options.atDeadline {
        case .abort: return nil
        case .postcopy: return giveUp("rounds no longer shrink", predicted)
        case .freeze: return freezeSoon(predicted)
        }
    }

    /// Whether the latest rounds have brought the budget nearer, or would by the last one.
    private var isShrinking: Bool {
        guard predictions.count > Self.window else { return true }
        let before = predictions.dropLast(Self.window).min() ?? .infinity
        let lately = predictions.suffix(Self.window).min() ?? .infinity
        let factor = (lately - cost.total) / max(before - cost.total, 1e-9)
        if factor <= Self.shrinking { return true }
        var left = lately - cost.total
        var scans = options.rounds - rounds.count
        while factor < 1, scans > 0, left > goal - cost.total {
            left *= factor
            scans -= Self.window
        }
        return left <= goal - cost.total
    }

    private mutating func slowDown(_ predicted: Double) -> PrecopyVerdict {
        processorShare /= 2
        forget()
        return PrecopyVerdict(
            .anotherRound,
            "rounds no longer shrink: the instance is left with "
                + "\(Int(processorShare * 100)) % of its processor time",
            prediction: predicted, processorShare: processorShare)
    }

    private mutating func freezeSoon(_ predicted: Double) -> PrecopyVerdict {
        let scans = (waited ?? 0) + 1
        waited = scans
        let smallest = predictions.suffix(2 * Self.window).min() ?? predicted
        let left = "rounds no longer shrink"
        if predicted - cost.total <= (smallest - cost.total) * Self.nearlySmallest {
            return PrecopyVerdict(
                .freeze,
                "\(left), and the \(milliseconds(predicted)) of downtime predicted now "
                    + "are about as few as were seen", prediction: predicted)
        }
        guard scans <= Self.patience else {
            return PrecopyVerdict(
                .freeze, "\(left), and no smaller point has come", prediction: predicted)
        }
        return PrecopyVerdict(
            .anotherRound,
            "\(left): waiting for a point like the \(milliseconds(smallest)) that were seen",
            prediction: predicted)
    }

    private func size(_ pages: UInt64) -> String {
        let bytes = Double(pages) * pageSize
        let (number, unit) =
            bytes >= 1_048_576 ? (bytes / 1_048_576, "MiB") : (bytes / 1_024, "KiB")
        return "\(oneDecimal(number)) \(unit)"
    }

    func milliseconds(_ value: Double) -> String { "\(oneDecimal(value)) ms" }
    private func seconds(_ value: Double) -> String { "\(oneDecimal(value)) s" }
}

/// Whole numbers from 100 on, one decimal below.
private func oneDecimal(_ value: Double) -> String {
    let bounded = max(-1e15, min(value, 1e15))
    if bounded >= 100 { return "\(Int(bounded.rounded()))" }
    let tenths = Int((bounded * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(abs(tenths % 10))"
}
