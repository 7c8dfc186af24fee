import MigrationCore
import TestSupport
import Testing

/// The table of deaths, row by row: both daemons are dead, and only the two journals and the
/// instance itself tell what was.
@Suite struct DeathTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let source: SourceRecord?
        let target: TargetRecord?
        let original: SourceHost.Original
        let copy: TargetHost.Copy
        /// Pages that the copy lacks.
        let lacks: Int
        /// Where the instance runs once both daemons are back and linked; nil until a person has
        /// decided.
        let runs: Side?

        var testDescription: String {
            "\(source?.word ?? "nothing") and \(target?.word ?? "nothing"), copy \(copy)"
                + (lacks > 0 ? ", lacks memory" : "")
        }

        /// The row as docs/protocol.md has it.
        var line: String {
            let complete =
                target == .taken ? (copy == .running ? ", complete" : ", incomplete") : ""
            return
                "| \(source?.word ?? "nothing") | \(target?.word ?? "nothing")\(complete) "
                + "| \(runs?.rawValue ?? "a person decides") |"
        }
    }

    private static func row(
        _ source: SourceRecord?,
        _ target: TargetRecord?,
        _ original: SourceHost.Original,
        _ copy: TargetHost.Copy = .none,
        lacks: Int = 0,
        runs: Side?
    ) -> Row {
        Row(
            source: source, target: target, original: original, copy: copy, lacks: lacks,
            runs: runs)
    }

    private static let reason = Sample.error()
    private static let receipt = Sample.receipt

    /// Every pair that can exist. What is missing cannot: the last test here plays seeds to see it.
    static let rows: [Row] = [
        row(nil, nil, .running, runs: .source),
        row(.begun, nil, .running, runs: .source),
        row(.begun, .prepared, .frozen, runs: .source),
        row(.begun, .declined(reason), .frozen, runs: .source),
        row(.begun, .cleaned(reason), .frozen, runs: .source),
        row(.custodyOffered, .prepared, .frozen, runs: .source),
        row(.custodyOffered, .taken, .frozen, .none, runs: .source),
        row(.custodyOffered, .taken, .frozen, .partial, runs: .source),
        row(.custodyOffered, .taken, .frozen, .running, runs: .target),
        row(.custodyOffered, .taken, .frozen, .running, lacks: 2, runs: .target),
        row(.custodyOffered, .running(receipt), .frozen, .running, lacks: 2, runs: .target),
        row(.custodyOffered, .running(receipt), .frozen, .running, runs: .target),
        row(.custodyOffered, .lost(reason), .frozen, .none, runs: nil),
        row(.custodyOffered, .lost(reason), .frozen, .partial, runs: nil),
        row(.custodyOffered, .lost(reason), .frozen, .running, lacks: 2, runs: nil),
        row(.custodyOffered, .finished(receipt), .frozen, .running, runs: .target),
        row(.custodyOffered, .declined(reason), .frozen, runs: .source),
        row(.custodyOffered, .cleaned(reason), .frozen, runs: .source),
        row(.confirmed(receipt), .finished(receipt), .frozen, .running, runs: .target),
        row(.ended(receipt), .finished(receipt), .gone, .running, runs: .target),
        row(.ended(receipt), .closed, .gone, .running, runs: .target),
        row(.reverting(reason), nil, .frozen, runs: .source),
        row(.reverting(reason), .prepared, .frozen, runs: .source),
        row(.reverting(reason), .declined(reason), .frozen, runs: .source),
        row(.reverting(reason), .cleaned(reason), .frozen, runs: .source),
        row(.closed, nil, .running, runs: .source),
        row(.closed, .prepared, .running, runs: .source),
        row(.closed, .declined(reason), .running, runs: .source),
        row(.closed, .cleaned(reason), .running, runs: .source),
        row(.closed, .closed, .gone, .running, runs: .target),
    ]

    /// A world in which both daemons are dead.
    private func dead(_ row: Row) -> World {
        var world = World(Scenario(), isTraced: true)
        world.source.die()
        world.source.journal = row.source
        world.source.original = row.original
        world.source.isOver = row.source?.word == "ended" || row.source == .closed
        if world.source.isOver { world.source.outcomes = [outcome(of: row)] }
        world.target.die()
        world.target.journal = row.target
        world.target.copy = row.copy
        world.target.pagesLeft = row.lacks
        world.target.isOutOfReach = row.target?.word == "lost"
        world.target.hasRun = ["running", "lost", "finished"].contains(row.target?.word)
        world.target.hasVolume = row.target != nil && row.target?.word != "cleaned"
        world.target.isOver = ["cleaned", "finished", "closed"].contains(row.target?.word)
        if row.target == .closed { world.target.outcomes = [outcome(of: row)] }
        return world
    }

    private func outcome(of row: Row) -> Outcome {
        row.runs == .target ? .moved(Sample.receipt) : .notMoved(Self.reason)
    }

    static let orders: [[Side]] = [[.source, .target], [.target, .source]]

    private func start(_ world: inout World, _ order: [Side]) {
        for side in order {
            if side == .source { world.startSource() } else { world.startTarget() }
        }
        world.settle()
    }

    @Test(arguments: rows.filter { $0.runs == nil }, orders)
    func `a person decides about what is lost, and both hosts are clean then`(
        row: Row, order: [Side]
    ) {
        for resolution in [Resolution.keepHere, .gone] {
            var world = dead(row)
            start(&world, order)
            #expect(world.source.original == .frozen)
            #expect(world.source.machine?.canResolve == true)
            #expect(world.source.outcomes.isEmpty)
            world.resolve(resolution)
            world.settle()
            #expect(world.violation == nil, "\((world.trace ?? []).joined(separator: "\n"))")
            #expect(world.disagreement() == nil, "\((world.trace ?? []).joined(separator: "\n"))")
            #expect(world.source.original == (resolution == .keepHere ? .running : .gone))
            #expect(world.target.copy == .none)
            #expect(!world.source.outcomes.contains { $0.text.hasPrefix("moved") })
        }
    }

    @Test(arguments: rows.filter { $0.runs == nil }, orders)
    func `what is lost may be given up on the target, too`(row: Row, order: [Side]) {
        var world = dead(row)
        start(&world, order)
        world.giveUp()
        world.settle()
        #expect(world.violation == nil, "\((world.trace ?? []).joined(separator: "\n"))")
        #expect(world.disagreement() == nil, "\((world.trace ?? []).joined(separator: "\n"))")
        #expect(world.source.original == .running)
    }

    @Test(arguments: rows.filter { $0.runs != nil }, orders)
    func `both journals decide where it runs`(row: Row, order: [Side]) {
        var world = dead(row)
        start(&world, order)
        #expect(world.violation == nil, "\((world.trace ?? []).joined(separator: "\n"))")
        #expect(world.disagreement() == nil, "\((world.trace ?? []).joined(separator: "\n"))")
        #expect((world.source.original == .running) == (row.runs == .source))
        #expect((world.target.copy == .running) == (row.runs == .target))
    }

    @Test func `the table in the book is this one`() throws {
        let book = try Book.text()
        for row in Self.rows { #expect(book.contains(row.line), "missing: \(row.line)") }
        let ends = ["| source |", "| target |", "| a person decides |"]
        let lines = book.split(separator: "\n").filter { line in
            ends.contains(where: line.hasSuffix)
        }
        #expect(Set(lines.map(String.init)).isSubset(of: Set(Self.rows.map(\.line))))
    }

    /// No world without a person's word ever shows a pair that the table lacks.
    @Test func `no other pair of records can exist`() {
        let known = Set(Self.rows.map { "\($0.source?.word ?? "-") \($0.target?.word ?? "-")" })
        var seen: Set<String> = []
        for seed in UInt64(1)...2_000 {
            var random = SplitMix64(seed: seed)
            var scenario = Scenario(seed: seed, random: &random)
            scenario.persons = 0
            scenario.fires = 0
            var world = World(scenario, seed: random.next())
            world.isKind = false
            while world.moves < scenario.unkindMoves + scenario.firstMoves {
                world.moves += 1
                world.step()
                let source = world.source.journal?.word ?? "-"
                seen.insert("\(source) \(world.target.journal?.word ?? "-")")
            }
        }
        #expect(seen.subtracting(known) == [], "seen, but not in the table")
        #expect(known.subtracting(seen).count <= 2, "never seen: \(known.subtracting(seen))")
    }
}
