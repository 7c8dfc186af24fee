/// Whether files keep an instance from being frozen whose memory is ready for it.
///
/// Asked with each verdict on memory. After a pass memory has to follow by a round, and both are
/// asked again.
///
/// | what is seen, first match                                | verdict                          |
/// |----------------------------------------------------------|----------------------------------|
/// | memory wants another round, or is to be aborted          | what memory wants                |
/// | no rounds are allowed                                    | what memory wants                |
/// | all deltas are predicted to be within the budget         | what memory wants                |
/// | the deadline or the limit of rounds is reached           | as `atDeadline` says             |
/// | another pass would leave clearly less                    | another pass                     |
/// | it is the look through the tree that takes so long       | what memory wants                |
/// | it was slowed down, and one pass has been since          | another pass                     |
/// | it may be throttled                                      | another pass, with less processor|
/// | anything else                                            | as `atDeadline` says             |
///
/// Files cannot follow an instance that runs on the target: `postcopy` at the deadline means what
/// `freeze` does.
extension PrecopyPolicy {
    /// Seconds of sending for each second of writing that a slowed down instance is to cause.
    private static let wanted = 0.3
    private static let leastShare = 0.01

    /// - Parameters:
    ///   - memory: what memory alone would come to.
    ///   - files: one for each volume that has had a second pass.
    ///   - elapsed: seconds since the first scan of memory.
    package mutating func verdict(
        _ memory: PrecopyVerdict, files: [FileOutlook], elapsed: Double
    ) -> PrecopyVerdict {
        let late = files.filter { $0.delta > options.downtimeBudget }
        guard memory.step == .freeze || memory.step == .postcopy, options.rounds > 0,
            let delta = late.map(\.delta).max()
        else { return memory }
        let predicted = max(memory.prediction, cost.freeze + delta + cost.restore)
        let left = "what has changed in files takes \(milliseconds(delta)) to send"
        if let limit = limit(after: elapsed) {
            return giveUp(memory, "\(left) when \(limit) is reached", predicted)
        }
        if late.contains(where: \.isWorthwhile) {
            return another("\(left): another pass leaves less", predicted)
        }
        let heavy = late.filter(\.isHeavy)
        guard let load = heavy.map(\.load).max() else {
            return PrecopyVerdict(
                memory.step, "\(memory.reason); \(left)", prediction: predicted)
        }
        let canPass = heavy.contains(where: \.canPass)
        if canPass, passesSlowed == 1 {
            return another("\(left): what it wrote before it was slowed down", predicted)
        }
        if canPass, options.throttle, processorShare > Self.leastShare {
            return slowDown(load, "\(left), and no pass leaves less", predicted)
        }
        return giveUp(memory, "\(left), and no pass leaves less", predicted)
    }

    private func limit(after elapsed: Double) -> String? {
        if let deadline = options.deadline, elapsed >= deadline { return "the deadline" }
        return rounds.count >= options.rounds ? "the limit of rounds" : nil
    }

    private mutating func another(_ reason: String, _ predicted: Double) -> PrecopyVerdict {
        passesSlowed = passesSlowed.map { $0 + 1 }
        return PrecopyVerdict(.anotherPass, reason, prediction: predicted)
    }

    private mutating func slowDown(
        _ load: Double, _ reason: String, _ predicted: Double
    ) -> PrecopyVerdict {
        processorShare = max(Self.leastShare, processorShare * min(0.5, Self.wanted / load))
        passesSlowed = 1
        return PrecopyVerdict(
            .anotherPass,
            "\(reason): the instance is left with \(Int(processorShare * 100)) % of its "
                + "processor time",
            prediction: predicted, processorShare: processorShare)
    }

    private func giveUp(
        _ memory: PrecopyVerdict, _ reason: String, _ predicted: Double
    ) -> PrecopyVerdict {
        PrecopyVerdict(
            options.atDeadline == .abort ? .abort : memory.step, reason, prediction: predicted)
    }
}
