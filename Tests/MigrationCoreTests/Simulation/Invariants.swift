import MigrationCore

extension World {
    /// What must hold after every single move; nil if it does.
    func brokenInvariant() -> String? {
        if source.original == .running && target.copy != .none && !source.isBurnt {
            return "both sides have it: the original runs, the copy is \(target.copy)"
        }
        if let broken = brokenPromise() ?? brokenFollowing() { return broken }
        switch source.original {
        case .running: return nil
        case .frozen: return hasDecisionForFrozen ? nil : "frozen on the source, and nobody decides"
        case .gone:
            return target.ownsCopy || target.isBurnt || source.resolution == .gone
                ? nil : "the original is gone, and no copy stands"
        }
    }

    /// A decline is only written, or said, when nothing can run on the target.
    private func brokenPromise() -> String? {
        guard target.copy != .none else { return nil }
        let isDeclined = target.journal?.word == "declined" || target.journal?.word == "cleaned"
        let isSaid = wire.packets.contains {
            if case .message(.declined) = $0.content { true } else { false }
        }
        return isDeclined || isSaid ? "declined, and the copy is \(target.copy)" : nil
    }

    /// Whether a journal, or the running daemons, still lead to somebody running the instance.
    private var hasDecisionForFrozen: Bool {
        switch source.journal {
        // It reverts, at the latest when it starts again.
        case .begun, .reverting: true
        // The target's journal decides, or a person does.
        case .custodyOffered: true
        case .confirmed: target.ownsCopy || target.isBurnt || source.resolution == .gone
        case .ended, .closed, nil: false
        }
    }

    /// What the two sides do not agree on, once all is quiet; nil if they agree.
    func disagreement() -> String? {
        if target.lacksMemory { return "memory is still missing" }
        if source.isBurnt { return target.isBurnt ? nil : disagreementOfTargetAlone() }
        if target.isBurnt { return disagreementOfSourceAlone() }
        guard let record = source.journal else {
            return source.original == .running
                ? disagreementOfUnmoved() : "touched without a record"
        }
        guard record == .closed, case .closed? = source.machine?.state else {
            return "the source is left at \(record.word)"
        }
        if source.outcomes.isEmpty { return "nobody was told how it ended" }
        // A daemon that starts after the end no longer knows how it was, only that it is over.
        let isMoved = source.original == .gone && target.ownsCopy
        // Who lets go of the original is believed until the target contradicts.
        let binding = source.resolution == .gone ? source.outcomes.suffix(1) : source.outcomes[...]
        let isTold = binding.allSatisfy { told in
            if case .moved = told { isMoved } else { !isMoved }
        }
        guard isTold else { return "told \(source.outcomes.map(\.text)), but it is not so" }
        if isMoved { return disagreementOfMoved() }
        let isGivenUp = source.original == .gone && source.resolution == .gone
        return isGivenUp ? disagreementOfCleanTarget() : disagreementOfUnmoved()
    }

    private func disagreementOfMoved() -> String? {
        // Where a person let go of the target, nobody tells it that its receipt is known.
        let isFinished = source.resolution == .gone && targetWord == "finished"
        guard target.journal == .closed || isFinished else {
            return "moved, but the target is at \(targetWord)"
        }
        if target.copy != (scenario.runsInTheEnd ? .running : .held) {
            return "moved, but the copy is \(target.copy)"
        }
        return target.outcomes.last?.text.hasPrefix("moved") == true
            ? nil : "moved, and the target did not tell"
    }

    private func disagreementOfUnmoved() -> String? {
        if source.original != .running { return "not moved, and \(source.original)" }
        return disagreementOfCleanTarget()
    }

    private func disagreementOfCleanTarget() -> String? {
        switch target.journal {
        case nil, .cleaned: break
        default: return "not moved, but the target is at \(targetWord)"
        }
        if target.copy != .none { return "not moved, but the copy is \(target.copy)" }
        if target.hasVolume { return "not moved, but the volume is left on the target" }
        let isTold = target.outcomes.allSatisfy { !$0.text.hasPrefix("moved") }
        return isTold ? nil : "not moved, and the target told otherwise"
    }

    private func disagreementOfTargetAlone() -> String? {
        switch target.journal {
        case .finished, .closed: target.ownsCopy ? nil : "finished, and the copy is \(target.copy)"
        default: disagreementOfCleanTarget()
        }
    }

    private func disagreementOfSourceAlone() -> String? {
        guard let record = source.journal else { return nil }
        if record == .closed {
            let isTold = source.outcomes.last?.text.hasPrefix("moved") == true
            let isLetGo = source.resolution == .gone
            return source.original == .running || isTold || isLetGo
                ? nil : "closed, and \(source.original)"
        }
        return source.machine?.canResolve == true ? nil : "the source is left at \(record.word)"
    }

    private var targetWord: String { target.journal?.word ?? "nothing" }
}
