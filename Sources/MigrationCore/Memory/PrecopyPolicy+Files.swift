/// Decides whether files keep an instance from being frozen whose memory is ready for it.
///
/// Asked with each verdict of `PrecopyPolicy`. After a pass memory has to follow by a round, and
/// both are asked again.
///
/// | what is seen, first match                                | verdict                          |
/// |----------------------------------------------------------|----------------------------------|
/// | memory wants another round, or is to be aborted          | what memory wants                |
/// | no rounds are allowed                                    | what memory wants                |
/// | all deltas are predicted to be within the budget         | what memory wants                |
/// | the deadline is reached                                  | as `atDeadline` says             |
/// | another pass would leave clearly less                    | another pass                     |
/// | it is the look through the tree that takes so long       | what memory wants                |
/// | it was slowed down, and one pass has been since          | another pass                     |
/// | it may be throttled                                      | another pass, with less processor|
/// | anything else                                            | as `atDeadline` says             |
///
/// Files cannot follow an instance that runs on the target: `postcopy` at the deadline means what
/// `freeze` does.
package struct FilePolicy: Sendable {
    private let options: MemoryOptions
    private let cost: FreezeCost
    private var processorShare = 1.0
    /// Passes since the instance was slowed down.
    private var passes: Int?

    /// Seconds of sending for each second of writing that a slowed down instance is to cause.
    private static let wanted = 0.3
    private static let least = 0.01

    package init(options: MemoryOptions, cost: FreezeCost) {
        self.options = options
        self.cost = cost
    }

    /// - Parameters:
    ///   - memory: what memory alone would come to.
    ///   - files: one for each volume that has had a second pass.
    ///   - elapsed: seconds since the first scan of memory.
    package mutating func verdict(
        _ memory: PrecopyVerdict, files: [FileOutlook], elapsed: Double
    ) -> PrecopyVerdict {
        guard memory.step == .freeze || memory.step == .postcopy, options.rounds > 0,
            let worst = files.max(by: { $0.delta < $1.delta }),
            worst.delta > options.downtimeBudget
        else { return memory }
        let late = files.filter { $0.delta > options.downtimeBudget }
        let predicted = max(memory.prediction, cost.freeze + worst.delta + cost.restore)
        let left = "what has changed in files takes \(text(worst.delta)) ms to send"
        if let deadline = options.deadline, elapsed >= deadline {
            return giveUp(memory, "\(left) when the deadline is reached", predicted)
        }
        if late.contains(where: \.isWorthwhile) {
            return another("\(left): another pass leaves less", predicted)
        }
        guard let heaviest = late.filter(\.isHeavy).max(by: { $0.load < $1.load }) else {
            return PrecopyVerdict(
                memory.step, "\(memory.reason); \(left)", prediction: predicted)
        }
        let canPass = late.contains { $0.isHeavy && $0.canPass }
        if canPass, passes == 1 {
            return another("\(left): what it wrote before it was slowed down", predicted)
        }
        if canPass, options.throttle, processorShare > Self.least {
            return slowDown(heaviest, "\(left), and no pass leaves less", predicted)
        }
        return giveUp(memory, "\(left), and no pass leaves less", predicted)
    }

    private mutating func another(_ reason: String, _ predicted: Double) -> PrecopyVerdict {
        passes = passes.map { $0 + 1 }
        return PrecopyVerdict(.anotherPass, reason, prediction: predicted)
    }

    private mutating func slowDown(
        _ files: FileOutlook, _ reason: String, _ predicted: Double
    ) -> PrecopyVerdict {
        let factor = min(0.5, Self.wanted / files.load)
        processorShare = max(Self.least, processorShare * factor)
        passes = 1
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

    private func text(_ milliseconds: Double) -> String {
        "\(Int(max(0, min(milliseconds, 1e15)).rounded()))"
    }
}
