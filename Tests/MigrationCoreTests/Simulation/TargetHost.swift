import MigrationCore
import TestSupport

/// The target's daemon, its disk, and what of the instance is there.
struct TargetHost {
    /// `held` is complete, but was to be paused or stopped.
    enum Copy { case none, partial, running, held }
    enum Kind: String { case check, prepare, receive, restore, fetch, discard, cleanUp }

    struct Step {
        let kind: Kind
        var isDone = false
    }

    var copy = Copy.none
    var hasVolume = false
    var journal: TargetRecord?
    /// A tool that outlived the daemon which started it.
    var orphan: Kind?
    /// Nothing of this migration may be discarded or removed here any more.
    var isOver = false
    var isBurnt = false
    /// Pages that are still on the source. What keeps them here outlives the daemon.
    var pagesLeft = 0
    /// They will never come.
    var isOutOfReach = false
    /// The restore has reported: clients may have seen the instance.
    var isSeen = false
    /// It is written that the instance has run here.
    var hasRun = false
    /// It is written that it can not go on here.
    var isLost = false
    /// A person has said so on this host.
    var isGivenUp = false

    var isUp = true
    var machine: TargetMachine?
    var actions: [TargetAction] = []
    var inbox: [TargetEvent] = []
    var steps: [Step] = []
    /// Deltas and process state have come through.
    var hasState = false
    /// The fetch has to end with what is here.
    var endsFetch = false
    var outcomes: [Outcome] = []

    var ownsCopy: Bool { copy == .running || copy == .held }
    var lacksMemory: Bool { ownsCopy && pagesLeft > 0 }

    mutating func hear(_ event: TargetEvent) {
        if isUp { inbox.append(event) }
    }

    /// Forgets all that is not on disk.
    mutating func die() {
        let unfinished = steps.first { ($0.kind == .restore || $0.kind == .prepare) && !$0.isDone }
        if let unfinished { orphan = unfinished.kind }
        isUp = false
        machine = nil
        actions = []
        inbox = []
        steps = []
        hasState = false
        endsFetch = false
    }
}

extension World {
    mutating func targetHears() {
        let event = target.inbox.removeFirst()
        if target.machine == nil {
            guard case .received = event else { return }
            target.machine = TargetMachine(capabilities: .own)
        }
        guard var machine = target.machine else { return }
        note("target: \(event.text)")
        target.actions = rules.target(&machine, event)
        target.machine = machine
    }

    mutating func targetActs() {
        let action = target.actions.removeFirst()
        note("target:     \(action.text)")
        switch action {
        case .record(let record):
            target.journal = record
            if ["finished", "cleaned", "closed"].contains(record.word) { target.isOver = true }
            if record.word == "lost" { target.isLost = true }
            if ["running", "lost", "finished"].contains(record.word) { target.hasRun = true }
        case .send(let message): send(message, to: .source)
        case .check: target.steps.append(TargetHost.Step(kind: .check))
        case .prepare: target.steps.append(TargetHost.Step(kind: .prepare))
        case .receiveState: target.steps.append(TargetHost.Step(kind: .receive))
        case .restore: target.steps.append(TargetHost.Step(kind: .restore))
        case .fetch: target.steps.append(TargetHost.Step(kind: .fetch))
        case .endFetch: target.endsFetch = true
        case .stopSteps:
            // What a tool has begun it may still finish, until it is discarded.
            if target.steps.contains(where: { $0.kind == .restore && !$0.isDone }) {
                target.orphan = .restore
            }
            target.steps = []
        case .discard: target.steps.append(TargetHost.Step(kind: .discard))
        case .cleanUp: target.steps.append(TargetHost.Step(kind: .cleanUp))
        case .adopt: break
        case .conclude(let outcome): target.outcomes.append(outcome)
        case .disconnect: hangUp(heardBy: [.source])
        }
    }

    /// A step first does what it does, and reports it later; it may fail before and after.
    mutating func targetSteps(_ index: Int) {
        let step = target.steps[index]
        if step.kind == .fetch { return fetch(index) }
        let isRetried = step.kind == .discard || step.kind == .cleanUp
        if !isKind && !isRetried && random.chance(scenario.stepFailures) {
            target.steps.remove(at: index)
            return target.inbox.append(.stepFailed(Sample.error(.restoreFailed)))
        }
        guard step.isDone else {
            if step.kind == .restore && target.isOutOfReach {
                target.steps.remove(at: index)
                return target.inbox.append(.stepFailed(Sample.error(.restoreFailed)))
            }
            target.steps[index].isDone = effect(of: step.kind)
            return
        }
        target.steps.remove(at: index)
        switch step.kind {
        case .check where scenario.isRefused:
            target.inbox.append(.checked(findings: [Sample.finding], plan: nil))
        case .check: target.inbox.append(.checked(findings: [], plan: scenario.plan))
        case .prepare: target.inbox.append(.prepared)
        case .receive:
            let digests = scenario.isCorrupted ? Sample.otherDigests : Sample.digests
            target.inbox.append(.stateArrived(digests))
        case .restore:
            target.isSeen = true
            target.inbox.append(.restored(scenario.receipt))
        case .fetch: break
        case .discard: target.inbox.append(.discarded)
        case .cleanUp: target.inbox.append(.cleaned)
        }
    }

    /// False if the step has more to do.
    private mutating func effect(of kind: TargetHost.Kind) -> Bool {
        switch kind {
        case .check, .fetch: return true
        case .receive: target.pagesLeft = scenario.owed
        case .prepare: target.hasVolume = true
        case .restore:
            if target.isOutOfReach { return true }  // An orphan, which ends.
            let isWhole = target.copy != .none
            setCopy(isWhole ? (scenario.runsInTheEnd ? .running : .held) : .partial)
            return isWhole
        case .discard:
            target.orphan = nil
            if target.isOver { violate("the target discards what is not this migration's") }
            if let broken = brokenDiscard() { violate(broken) }
            setCopy(.none)
            target.pagesLeft = 0
            // What keeps the memory goes last: a daemon that dies in between leaves it.
            target.isOutOfReach = scenario.isOrdered || random.chance(500)
        case .cleanUp:
            if target.isOver { violate("the target removes what is not this migration's") }
            target.hasVolume = false
        }
        return true
    }

    mutating func setCopy(_ state: TargetHost.Copy) {
        if target.copy != state { note("(copy: \(state))") }
        target.copy = state
    }

    mutating func targetOrphan() {
        guard let kind = target.orphan else { return }
        if effect(of: kind) { target.orphan = nil }
    }

    mutating func crashTarget() {
        note("(the target's daemon dies)")
        target.die()
        hangUp(heardBy: [.source])
        wire.packets.removeAll { $0.to == .target }
    }

    mutating func startTarget() {
        note("(the target's daemon starts)")
        target.isUp = true
        guard let record = target.journal else { return }
        let isComplete = record == .taken && target.ownsCopy
        let receipt = isComplete ? scenario.receipt : nil
        let (machine, actions) = rules.resumeTarget(
            record, receipt, isComplete && target.pagesLeft > 0)
        target.machine = machine
        target.actions = actions
    }
}
