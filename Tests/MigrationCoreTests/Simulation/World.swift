import MigrationCore
import TestSupport

/// Two hosts, their disks and the wire between them, all of them fake and driven by one seed.
///
/// Each host executes a machine's actions one by one, as the engine does; between any two of them,
/// and in the middle of every step, the daemon may die. What is on disk and what the instance does
/// outlives it.
struct World {
    let scenario: Scenario
    let rules: Rules
    var random: SplitMix64
    var isKind = false
    var moves = 0
    var source = SourceHost()
    var target = TargetHost()
    var wire = Wire()
    /// What went wrong first; nothing happens after it.
    private(set) var violation: String?
    /// What happened, line by line; nil where nobody wants to read it.
    var trace: [String]?

    init(_ scenario: Scenario, seed: UInt64 = 0, rules: Rules = Rules(), isTraced: Bool = false) {
        self.scenario = scenario
        self.rules = rules
        random = SplitMix64(seed: seed)
        isKind = scenario.firstMoves > 0 || scenario.unkindMoves == 0
        trace = isTraced ? [] : nil
        source.machine = SourceMachine(
            name: Sample.web,
            capabilities: scenario.offer.capabilities
        )
        source.inbox = [.started]
    }

    /// What can happen next without anything going wrong.
    enum Move: Equatable {
        case sourceActs, sourceHears, sourceSteps(Int), sourceConnects, sourceStarts, sourceOrphan
        case targetActs, targetHears, targetSteps(Int), targetStarts, targetOrphan
        case delivers(Int)
    }

    mutating func violate(_ what: String) {
        if violation == nil { violation = what }
        note("*** \(what)")
    }

    mutating func note(_ line: @autoclosure () -> String) {
        if trace != nil { trace?.append(line()) }
    }

    /// Everything that could happen next, in the order of a world without chance.
    func possible() -> [Move] {
        var moves: [Move] = []
        if source.isUp { appendSource(&moves) }
        if target.isUp { appendTarget(&moves) }
        for (index, packet) in wire.packets.enumerated() {
            let isDue = isKind ? wire.isFirst(index) : packet.earliest <= self.moves
            if isDue { moves.append(.delivers(index)) }
        }
        if isKind && !source.isUp && !source.isBurnt { moves.append(.sourceStarts) }
        if isKind && !target.isUp && !target.isBurnt { moves.append(.targetStarts) }
        if source.orphan != nil && !source.isBurnt { moves.append(.sourceOrphan) }
        let isStuck = target.orphan == .restore && restoreWaits
        if target.orphan != nil && !target.isBurnt && !isStuck { moves.append(.targetOrphan) }
        if target.isUp { appendFetches(&moves) }
        return moves
    }

    /// Last, so that in a world without chance messages come before pages.
    private func appendFetches(_ moves: inout [Move]) {
        for (index, step) in target.steps.enumerated()
        where step.kind == .fetch && !isWaiting(step) { moves.append(.targetSteps(index)) }
    }

    private func appendSource(_ moves: inout [Move]) {
        if !source.actions.isEmpty {
            moves.append(.sourceActs)
        } else if !source.inbox.isEmpty {
            moves.append(.sourceHears)
        }
        moves += source.steps.indices.filter { source.steps[$0].kind != .serve }
            .map { .sourceSteps($0) }
        let canConnect = target.isUp || canFailToConnect
        if source.wantsLink && wire.current == nil && canConnect { moves.append(.sourceConnects) }
    }

    private func appendTarget(_ moves: inout [Move]) {
        if !target.actions.isEmpty {
            moves.append(.targetActs)
        } else if !target.inbox.isEmpty {
            moves.append(.targetHears)
        }
        for (index, step) in target.steps.enumerated()
        where step.kind != .fetch && !isWaiting(step) { moves.append(.targetSteps(index)) }
    }

    mutating func make(_ move: Move) {
        moves += 1
        switch move {
        case .sourceActs: sourceActs()
        case .sourceHears: sourceHears()
        case .sourceSteps(let index): sourceSteps(index)
        case .sourceConnects: connect()
        case .sourceStarts: startSource()
        case .sourceOrphan: sourceOrphan()
        case .targetActs: targetActs()
        case .targetHears: targetHears()
        case .targetSteps(let index): targetSteps(index)
        case .targetStarts: startTarget()
        case .targetOrphan: targetOrphan()
        case .delivers(let index): deliver(index)
        }
        if violation == nil, let broken = brokenInvariant() { violate(broken) }
    }

    /// Lets one thing happen; false if there was nothing that could.
    @discardableResult
    mutating func step() -> Bool {
        guard violation == nil else { return false }
        if !isKind && somethingGoesWrong() {
            if violation == nil, let broken = brokenInvariant() { violate(broken) }
            return true
        }
        let moves = possible()
        guard let first = moves.first else { return false }
        make(scenario.isOrdered ? first : random.pick(moves))
        return true
    }

    /// Plays the whole migration: kindly for a while, then unkindly, then kindly until nothing
    /// happens any more.
    mutating func play() {
        while moves < scenario.firstMoves && step() {}
        isKind = false
        let end = moves + scenario.unkindMoves
        while moves < end && violation == nil {
            moves += 1
            if !step() && random.chance(100) { break }
        }
        becomeKind()
        settle()
        decide()
        if violation == nil, let disagreement = disagreement() { violate(disagreement) }
    }

    mutating func becomeKind() {
        isKind = true
        note("--- from here on nothing goes wrong any more")
        if wire.current?.isDoomed == true { breakLink() }
    }

    /// Lets everything happen that can, which must come to an end.
    mutating func settle() {
        let limit = moves + 2_000
        while step() {
            guard moves < limit else { return violate("it does not come to an end") }
        }
    }
}
