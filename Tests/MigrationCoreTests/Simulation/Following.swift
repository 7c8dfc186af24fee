import MigrationCore
import TestSupport

/// Memory that follows an instance which runs on the target already.
extension World {
    /// Whether anyone has decided in the machines' place.
    var aPersonSpoke: Bool { source.resolution != nil || target.isGivenUp }

    /// Whether a step of the target can do nothing now.
    func isWaiting(_ step: TargetHost.Step) -> Bool {
        switch step.kind {
        case .receive: !target.hasState
        case .restore: !step.isDone && restoreWaits
        case .fetch:
            !(canFetchPage || target.pagesLeft == 0 || target.isOutOfReach || target.endsFetch)
        case .check, .prepare, .discard, .cleanUp: false
        }
    }

    /// Whether the restore waits for a page, with all else done.
    var restoreWaits: Bool {
        scenario.needsPage && target.copy == .partial && !target.isOutOfReach
            && target.pagesLeft > 0 && target.pagesLeft == scenario.owed
    }

    /// The source gives pages while its daemon serves them and a connection stands.
    private var canFetchPage: Bool { source.isServing && wire.current != nil }

    /// One page, or the end.
    mutating func fetch(_ index: Int) {
        if target.pagesLeft > 0 && canFetchPage && !target.isOutOfReach && !target.endsFetch {
            note("(a page follows)")
            target.pagesLeft -= 1
            return
        }
        target.steps.remove(at: index)
        let isWhole = target.pagesLeft == 0 && !target.isOutOfReach
        target.inbox.append(
            isWhole
                ? .fetched(scenario.owed > 0 ? Sample.fetch : nil)
                : .fetchFailed(Sample.error(.memoryDiffers)))
    }

    /// Kills what keeps the memory on the target, and with it all or some of the copy; or a page is
    /// not to be had any more, and the copy stands still.
    mutating func loseMemory(leaving rest: TargetHost.Copy) {
        note("(the keeper of the memory dies)")
        target.isOutOfReach = true
        if target.copy != .none { setCopy(rest) }
    }

    mutating func giveUp() {
        note("(a person gives up what is on the target)")
        target.isGivenUp = true
        target.hear(.givenUp(Sample.error()))
    }

    /// When all is quiet, people decide what the machines leave to them.
    mutating func decide() {
        if source.isUp, let machine = source.machine, case .deciding = machine.state {
            guard machine.canResolve else { return violate("lost, and nobody can decide") }
            if source.remembersWord && !target.isBurnt {
                return violate("a person's word came to nothing")
            }
            resolve(random.chance(500) ? .keepHere : .gone)
            settle()
        }
        let hasNobody = source.isBurnt || source.journal == .closed
        if target.isUp && hasNobody && target.machine?.canGiveUp == true {
            giveUp()
            settle()
        }
    }

    /// What must hold when the target discards.
    func brokenDiscard() -> String? {
        let isSeen = target.hasRun || (target.isSeen && target.ownsCopy)
        if isSeen && !aPersonSpoke { return "the target discards what has run" }
        let isWhole = target.ownsCopy && target.pagesLeft == 0
        let isLast = isWhole && source.original == .gone && !target.isGivenUp
        return isLast ? "the target discards the only copy, and it is whole" : nil
    }

    /// What must hold while memory is missing on the target.
    func brokenFollowing() -> String? {
        guard target.lacksMemory, !aPersonSpoke, !source.isBurnt else { return nil }
        return source.original == .frozen
            ? nil : "memory is missing, and the original is \(source.original)"
    }
}
