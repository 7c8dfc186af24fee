import MigrationCore
import TestSupport
import Testing

@Suite struct MemoryPolicyTests {
    private let gigabit = 118e6
    private let tenGigabit = 1_180e6

    private func steady(
        _ writes: Double, hotSet: Double = 100_000, memory: Double = 262_144, link: Double
    ) -> MemoryWorkload {
        MemoryWorkload(memory: memory, hotSet: hotSet, rate: { _, _ in writes }, link: link)
    }

    private func options(
        _ budget: Double = 150, rounds: Int = 30, deadline: Double? = nil,
        _ giveUp: MemoryOptions.GivingUp = .freeze, throttle: Bool = false
    ) throws -> MemoryOptions {
        try MemoryOptions(
            downtimeBudget: budget, rounds: rounds, deadline: deadline, atDeadline: giveUp,
            throttle: throttle)
    }

    @Test func `an idle instance is frozen after one round`() throws {
        let run = PrecopyRun(steady(0, link: gigabit), try options())
        #expect(run.rounds == 1)
        #expect(run.last?.step == .freeze)
        #expect(run.last?.reason == "no page was written meanwhile")
    }

    @Test(arguments: [100.0, 1_000, 5_000, 20_000])
    func `what a link can keep up with ends within the budget`(writes: Double) throws {
        for link in [gigabit, tenGigabit] where writes * 4_100 < link * 0.75 {
            let run = PrecopyRun(steady(writes, link: link), try options())
            #expect(run.last?.step == .freeze)
            #expect(run.downtime <= 150, "\(run.rounds) rounds at \(writes)/s: \(run.downtime)")
            #expect(run.rounds < 15)
        }
    }

    @Test func `what a link cannot keep up with is frozen after a few rounds`() throws {
        let run = PrecopyRun(steady(50_000, link: gigabit), try options())
        #expect(run.last?.step == .freeze)
        #expect(run.rounds < 10)
        #expect(run.last?.reason.hasPrefix("rounds no longer shrink") == true)
    }

    @Test func `a hot set is sent last, as small as it gets`() throws {
        let run = PrecopyRun(steady(1e6, hotSet: 20_000, link: tenGigabit), try options(100))
        #expect(run.last?.step == .freeze)
        let smallest = 20_000 * 4_100 / tenGigabit * 1_000 + 85
        #expect(run.downtime <= smallest * 1.2)
        #expect(run.rounds < 10)
    }

    @Test func `bursts are waited for to end`() throws {
        let workload = MemoryWorkload(
            memory: 262_144, hotSet: 60_000,
            rate: { seconds, _ in seconds.truncatingRemainder(dividingBy: 3) < 1.5 ? 200_000 : 500
            },
            link: tenGigabit)
        let run = PrecopyRun(workload, try options(110))
        #expect(run.downtime <= 110)
        #expect(run.rounds <= 30)
    }

    @Test func `a fixed cost above the budget does not make rounds endless`() throws {
        let cost = FreezeCost(freeze: 100, dump: 300, restore: 400)
        let run = PrecopyRun(steady(2_000, link: tenGigabit), try options(150), cost: cost)
        #expect(run.last?.step == .freeze)
        #expect(run.rounds <= 5)
        #expect(run.last?.reason.contains("800 ms do not depend on memory") == true)
    }

    @Test func `the deadline is kept`() throws {
        for (giveUp, step) in [
            (MemoryOptions.GivingUp.freeze, PrecopyVerdict.Step.freeze), (.postcopy, .postcopy),
            (.abort, .abort),
        ] {
            let run = PrecopyRun(
                steady(27_000, link: gigabit), try options(rounds: 1_000, deadline: 10, giveUp))
            #expect(run.last?.step == step)
            #expect(run.seconds < 25)
        }
    }

    @Test func `aborting waits for the deadline or the limit, not for rounds to shrink`() throws {
        let run = PrecopyRun(steady(50_000, link: gigabit), try options(rounds: 20, .abort))
        #expect(run.last?.step == .abort)
        #expect(run.rounds == 20)
        #expect(run.last?.reason.contains("the limit of 20 rounds") == true)
    }

    @Test func `post-copy comes as soon as rounds no longer shrink`() throws {
        let run = PrecopyRun(steady(50_000, link: gigabit), try options(150, .postcopy))
        #expect(run.last?.step == .postcopy)
        #expect(run.rounds < 10)
    }

    @Test func `no rounds at all and post-copy let all memory follow`() throws {
        let run = PrecopyRun(steady(100, link: gigabit), try options(rounds: 0, .postcopy))
        #expect(run.rounds == 0)
        #expect(run.last?.step == .postcopy)
        #expect(run.last?.reason.contains("1024 MiB follow the instance") == true)
        let idle = PrecopyRun(
            steady(0, memory: 0, link: gigabit), try options(rounds: 0, .postcopy))
        #expect(idle.last?.step == .freeze)
    }

    @Test func `post-copy is predicted to stand still without its memory`() throws {
        let cost = FreezeCost(freeze: 5, dump: 40, restore: 40)
        for rounds in [0, 3, 30] {
            let run = PrecopyRun(
                steady(50_000, link: gigabit), try options(rounds: rounds, .postcopy), cost: cost)
            #expect(run.last?.step == .postcopy)
            #expect(run.last?.prediction == cost.total)
        }
    }

    @Test func `post-copy that rounds alone make unnecessary is not used`() throws {
        let run = PrecopyRun(steady(100, link: tenGigabit), try options(deadline: 60, .postcopy))
        #expect(run.last?.step == .freeze)
        #expect(run.downtime <= 150)
    }

    @Test func `slowing the instance down brings it within the budget`() throws {
        let workload = steady(40_000, link: gigabit)
        let slowed = PrecopyRun(workload, try options(throttle: true), obeysThrottle: true)
        #expect(slowed.downtime <= 150)
        #expect(slowed.verdicts.compactMap(\.processorShare).first == 0.5)
        let ignored = PrecopyRun(workload, try options(throttle: true))
        #expect(ignored.last?.step == .freeze)
        #expect(ignored.verdicts.compactMap(\.processorShare) == [0.5, 0.25, 0.125])
    }

    @Test func `no rounds at all means to freeze at once`() throws {
        let run = PrecopyRun(steady(100, link: gigabit), try options(rounds: 0))
        #expect(run.rounds == 0)
        #expect(run.last?.step == .freeze)
    }

    @Test func `whatever an instance does, it ends within the limit, and with a sentence`() throws {
        for seed in UInt64(0)..<2_000 {
            var random = SplitMix64(seed: seed)
            let most = Double(random.below(200_000))
            let workload = MemoryWorkload(
                memory: Double(1 + random.below(4_000_000)), hotSet: Double(random.below(500_000)),
                rate: { _, random in most * Double(random.below(100)) / 100 },
                link: Double(1 + random.below(3_000)) * 1e6)
            let options = try MemoryOptions(
                downtimeBudget: Double(random.below(2_000)), rounds: random.below(40),
                deadline: random.chance(500) ? Double(random.below(60)) : nil,
                atDeadline: random.pick(MemoryOptions.GivingUp.allCases),
                throttle: random.chance(300))
            let run = PrecopyRun(workload, options, seed: seed, obeysThrottle: random.chance(500))
            #expect(run.rounds <= options.rounds, "seed \(seed)")
            #expect(run.last.map { $0.step != .anotherRound } ?? false, "seed \(seed)")
            for verdict in run.verdicts {
                #expect(!verdict.reason.isEmpty && verdict.prediction.isFinite)
            }
        }
    }

    @Test func `a budget that steady writes leave within reach is met`() throws {
        for seed in UInt64(0)..<500 {
            var random = SplitMix64(seed: seed)
            let link = Double(100 + random.below(2_900)) * 1e6
            let writes = link / 4_100 * Double(random.below(80)) / 100
            let workload = steady(
                writes, hotSet: 1e6, memory: Double(10_000 + random.below(2_000_000)), link: link)
            let run = PrecopyRun(workload, try options(120))
            // What a round costs whatever it sends is not predicted.
            let most = 120 + workload.overhead * 1_000
            #expect(run.downtime <= most, "seed \(seed): \(run.rounds) rounds")
        }
    }

    @Test func `the prediction is what comes of it`() throws {
        for seed in UInt64(0)..<200 {
            var random = SplitMix64(seed: seed)
            let workload = steady(
                Double(random.below(60_000)), hotSet: Double(1 + random.below(200_000)),
                link: Double(50 + random.below(2_000)) * 1e6)
            let run = PrecopyRun(workload, try options(300), seed: seed)
            let prediction = try #require(run.last?.prediction)
            #expect(abs(prediction - run.downtime) <= 5 + run.downtime / 10, "seed \(seed)")
        }
    }
}
