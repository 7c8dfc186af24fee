import MigrationCore
import TestSupport

/// The source's daemon, its disk, and the instance as it stands there.
struct SourceHost {
    enum Original { case running, frozen, gone }
    enum Kind: String { case inspect, sendVolumes, freeze, sendState, serve, revert, endOriginal }

    struct Step {
        let kind: Kind
        var isDone = false
    }

    var original = Original.running
    var journal: SourceRecord?
    /// A tool that outlived the daemon which started it.
    var orphan: Kind?
    /// The name is free, or another migration's: nothing of this one may touch it.
    var isOver = false
    var isBurnt = false
    /// What a person has said.
    var resolution: Resolution?
    /// Whether the daemon has not died since.
    var remembersWord = false

    var isUp = true
    var machine: SourceMachine?
    var actions: [SourceAction] = []
    var inbox: [SourceEvent] = []
    var steps: [Step] = []
    var wantsLink = false
    var outcomes: [Outcome] = []

    var isServing: Bool { isUp && original == .frozen && steps.contains { $0.kind == .serve } }

    mutating func hear(_ event: SourceEvent) {
        if isUp && machine != nil { inbox.append(event) }
    }

    /// Forgets all that is not on disk.
    mutating func die() {
        if steps.contains(where: { $0.kind == .freeze && !$0.isDone }) { orphan = .freeze }
        isUp = false
        machine = nil
        actions = []
        inbox = []
        steps = []
        wantsLink = false
        remembersWord = false
    }
}

extension World {
    mutating func sourceHears() {
        let event = source.inbox.removeFirst()
        guard var machine = source.machine else { return }
        note("source: \(event.text)")
        source.actions = rules.source(&machine, event)
        source.machine = machine
    }

    mutating func sourceActs() {
        let action = source.actions.removeFirst()
        note("source:     \(action.text)")
        switch action {
        case .record(let record):
            source.journal = record
            // As soon as it may, an instance of the same name comes here by another migration.
            if record.word == "ended" || record.word == "closed" { source.isOver = true }
        case .inspect: source.steps.append(SourceHost.Step(kind: .inspect))
        case .connect: source.wantsLink = true
        case .send(let message): send(message, to: .target)
        case .sendVolumes: source.steps.append(SourceHost.Step(kind: .sendVolumes))
        case .freeze: source.steps.append(SourceHost.Step(kind: .freeze))
        case .sendState: source.steps.append(SourceHost.Step(kind: .sendState))
        case .servePages:
            if !source.steps.contains(where: { $0.kind == .serve }) {
                source.steps.append(SourceHost.Step(kind: .serve))
            }
        case .stopSteps:
            source.steps = []
            source.wantsLink = false
        case .revert: source.steps.append(SourceHost.Step(kind: .revert))
        case .endOriginal: source.steps.append(SourceHost.Step(kind: .endOriginal))
        case .conclude(let outcome): source.outcomes.append(outcome)
        case .disconnect:
            source.wantsLink = false
            hangUp(heardBy: [.target])
        }
    }

    /// A step first does what it does, and reports it later; it may fail before and after.
    mutating func sourceSteps(_ index: Int) {
        let step = source.steps[index]
        let isRetried = step.kind == .revert || step.kind == .endOriginal
        if !isKind && !isRetried && random.chance(scenario.stepFailures) {
            source.steps.remove(at: index)
            return source.inbox.append(.stepFailed(Sample.error(.toolFailed)))
        }
        guard step.isDone else {
            source.steps[index].isDone = true
            return effect(of: step.kind)
        }
        source.steps.remove(at: index)
        switch step.kind {
        case .inspect: source.inbox.append(.inspected(scenario.offer))
        case .sendVolumes: source.inbox.append(.volumesSent)
        case .freeze: source.inbox.append(.frozen)
        case .sendState: source.inbox.append(.stateSent(Sample.digests))
        case .serve: break  // It never ends by itself.
        case .revert: source.inbox.append(.reverted)
        case .endOriginal: source.inbox.append(.originalEnded)
        }
    }

    private mutating func effect(of kind: SourceHost.Kind) {
        switch kind {
        case .inspect, .sendVolumes, .serve: break
        case .freeze: freezeOriginal()
        case .sendState:
            let isReceiving = target.steps.contains { $0.kind == .receive }
            if wire.current != nil && isReceiving { target.hasState = true }
        case .revert:
            source.orphan = nil
            if source.isOver { return violate("the source thaws what is not this migration's") }
            if source.original == .gone { return violate("the source reverts what it has ended") }
            if target.hasRun && !aPersonSpoke {
                return violate("the source thaws what has run on the target")
            }
            setOriginal(.running)
        case .endOriginal:
            if source.isOver { return violate("the source ends what is not this migration's") }
            setOriginal(.gone)
        }
    }

    private mutating func freezeOriginal() {
        if source.original == .running { setOriginal(.frozen) }
    }

    private mutating func setOriginal(_ state: SourceHost.Original) {
        if source.original != state { note("(original: \(state))") }
        source.original = state
    }

    mutating func sourceOrphan() {
        source.orphan = nil
        freezeOriginal()
    }

    mutating func crashSource() {
        note("(the source's daemon dies)")
        source.die()
        hangUp(heardBy: [.target])
        wire.packets.removeAll { $0.to == .source }
    }

    mutating func startSource() {
        note("(the source's daemon starts)")
        source.isUp = true
        guard let record = source.journal else { return }
        let (machine, actions) = rules.resumeSource(record)
        source.machine = machine
        source.actions = actions
    }
}
