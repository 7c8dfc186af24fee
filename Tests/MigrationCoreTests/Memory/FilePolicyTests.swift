import MigrationCore
import TestSupport
import Testing

@Suite struct FilePolicyTests {
    private func options(
        _ atDeadline: MemoryOptions.GivingUp = .freeze, deadline: Double? = nil,
        rounds: Int = 30, throttle: Bool = false
    ) throws -> MemoryOptions {
        try MemoryOptions(
            rounds: rounds, deadline: deadline, atDeadline: atDeadline, throttle: throttle)
    }

    @Test func `files that nobody writes to ask for nothing`() throws {
        let run = FileRun(FileWorkload(rate: 0), try options())
        #expect(run.verdicts == [PrecopyVerdict(.freeze, "memory is ready", prediction: 100)])
    }

    @Test(arguments: [1e6, 5e6, 20e6, 60e6])
    func `what a link can keep up with leaves little more than an empty pass`(
        rate: Double
    ) throws {
        // Rounds of memory that take longer let more be written.
        for round in [0.05, 0.5, 2] {
            let workload = FileWorkload(rate: rate, round: round)
            let run = FileRun(workload, try options())
            let unavoidable = (workload.fixed + round * rate / workload.link) * 1_000
            #expect(run.delta < max(150, unavoidable * 2), "rounds of \(round) s")
            #expect(run.policy.count < 8)
        }
    }

    @Test func `what a link cannot keep up with is frozen without more passes`() throws {
        let run = FileRun(FileWorkload(rate: 300e6), try options())
        #expect(run.last?.step == .freeze)
        #expect(run.last?.reason.contains("no pass leaves less") == true)
        #expect(run.last.map { $0.prediction > 3_000 } == true)
        #expect(run.policy.count < 3)
    }

    @Test func `or it stays where it is`() throws {
        let run = FileRun(FileWorkload(rate: 300e6), try options(.abort))
        #expect(run.last?.step == .abort)
        #expect(run.verdicts.count == 1)
    }

    @Test(arguments: [150e6, 300e6, 600e6])
    func `one that is slowed down leaves little`(rate: Double) throws {
        for hot in [Double.infinity, 500e6] {
            let workload = FileWorkload(rate: rate, hot: hot)
            let run = FileRun(workload, try options(.abort, throttle: true))
            #expect(run.last?.step == .freeze, "\(run.last?.reason ?? "")")
            #expect(run.delta < 800, "\(run.policy.count) passes")
            let shares = run.verdicts.compactMap(\.processorShare)
            #expect(shares.allSatisfy { $0 >= 0.01 } && shares == shares.sorted(by: >))
        }
    }

    @Test func `a tree that takes long to look through is nobody's fault`() throws {
        let workload = FileWorkload(rate: 1e5, fixed: 8)
        for choice in MemoryOptions.GivingUp.allCases {
            let run = FileRun(workload, try options(choice, throttle: true))
            #expect(run.last?.step == .freeze)
            #expect(run.verdicts.allSatisfy { $0.processorShare == nil })
        }
    }

    @Test func `a deadline ends passes`() throws {
        let workload = FileWorkload(rate: 300e6)
        let frozen = FileRun(workload, try options(deadline: 0.05, throttle: true))
        #expect(frozen.last?.step == .freeze)
        #expect(frozen.last?.reason.contains("the deadline is reached") == true)
        let left = FileRun(workload, try options(.abort, deadline: 0.05, throttle: true))
        #expect(left.last?.step == .abort)
    }

    @Test func `a pass asks for no more rounds than are allowed`() throws {
        // With more rounds passes would go on.
        let workload = FileWorkload(rate: 300e6)
        #expect(FileRun(workload, try options(throttle: true)).verdicts.count > 3)
        let frozen = FileRun(workload, try options(rounds: 1, throttle: true))
        #expect(frozen.last?.step == .freeze && frozen.verdicts.count == 1)
        #expect(frozen.last?.reason.contains("the limit of rounds is reached") == true)
        #expect(FileRun(workload, try options(.abort, rounds: 1)).last?.step == .abort)
    }

    @Test func `what slows it down for files counts for memory, too`() throws {
        let heavy = FileOutlook(
            delta: 9_000, load: 2, isWorthwhile: false, isHeavy: true, canPass: true)
        var policy = PrecopyPolicy(
            options: try options(throttle: true),
            cost: FreezeCost(freeze: 5, dump: 40, restore: 40), pageSize: 4_096)
        let ready = PrecopyVerdict(.freeze, "", prediction: 1)
        #expect(policy.verdict(ready, files: [heavy], elapsed: 1).processorShare == 0.15)
        // Memory leaves no instance with less than a fifth.
        for _ in 0..<12 {
            policy.sent(PrecopyPolicy.Round(pages: 9, content: 9, bytes: 36_900, seconds: 1))
            #expect(policy.verdict(found: 9_000, elapsed: 1).processorShare == nil)
        }
    }

    @Test func `memory that wants more rounds, or has to follow all, is not kept`() throws {
        let heavy = FileOutlook(
            delta: 9_000, load: 0.5, isWorthwhile: true, isHeavy: true, canPass: true)
        let cost = FreezeCost(freeze: 5, dump: 40, restore: 40)
        var files = PrecopyPolicy(options: try options(), cost: cost, pageSize: 4_096)
        for step in [PrecopyVerdict.Step.anotherRound, .abort] {
            let memory = PrecopyVerdict(step, "", prediction: 1)
            #expect(files.verdict(memory, files: [heavy], elapsed: 1) == memory)
        }
        var none = PrecopyPolicy(
            options: try options(.postcopy, rounds: 0), cost: cost, pageSize: 4_096)
        let memory = PrecopyVerdict(.postcopy, "", prediction: 1)
        #expect(none.verdict(memory, files: [heavy], elapsed: 1) == memory)
        #expect(files.verdict(memory, files: [heavy], elapsed: 1).step == .anotherPass)
    }

    @Test func `whatever an instance writes, it ends, with a sentence`() throws {
        for seed in UInt64(0)..<2_000 {
            var random = SplitMix64(seed: seed)
            let workload = FileWorkload(
                files: Double(random.below(10_000)) * 1e6, rate: Double(random.below(900)) * 1e6,
                hot: random.chance(500) ? .infinity : Double(random.below(2_000)) * 1e6,
                link: Double(1 + random.below(1_000)) * 1e6,
                fixed: Double(random.below(5_000)) / 1_000,
                round: Double(random.below(5_000)) / 1_000)
            let options = try options(
                random.pick(MemoryOptions.GivingUp.allCases),
                deadline: random.chance(500) ? Double(random.below(60)) : nil,
                throttle: random.chance(500))
            let run = FileRun(workload, options)
            #expect(run.policy.count <= Limit.volumePasses, "seed \(seed)")
            #expect(run.verdicts.count <= 2 * Limit.volumePasses, "seed \(seed)")
            #expect(run.last.map { $0.step != .anotherPass } ?? false, "seed \(seed)")
            for verdict in run.verdicts {
                #expect(!verdict.reason.isEmpty && verdict.prediction.isFinite, "seed \(seed)")
            }
        }
    }
}
