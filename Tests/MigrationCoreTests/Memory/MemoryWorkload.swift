import MigrationCore
import TestSupport

/// An instance that writes while its memory travels, as numbers alone.
struct MemoryWorkload {
    /// Pages in all, and pages that are written over and over.
    var memory: Double
    var hotSet: Double
    /// Page writes a second inside the hot set, by time.
    var rate: @Sendable (_ seconds: Double, _ random: inout SplitMix64) -> Double
    /// Bytes a second.
    var link: Double
    /// Seconds that each round costs whatever it sends: the scan, and the target's answer.
    var overhead = 0.002

    /// Distinct pages of the hot set that are written in that time.
    func dirtied(in seconds: Double, at time: Double, _ random: inout SplitMix64) -> UInt64 {
        let writes = rate(time, &random) * seconds
        guard writes > 0, hotSet >= 1 else { return 0 }
        // 1 - e^(-x), without a library: (1 - x/1024)^1024.
        var untouched = max(0, 1 - writes / hotSet / 1_024)
        for _ in 0..<10 { untouched *= untouched }
        return UInt64((hotSet * (1 - untouched)).rounded())
    }
}

/// How a migration of the workload went.
struct PrecopyRun {
    var rounds = 0
    var seconds = 0.0
    var verdicts: [PrecopyVerdict] = []
    /// Milliseconds that the last round really took, and the fixed cost.
    var downtime = 0.0

    var last: PrecopyVerdict? { verdicts.last }

    /// - Parameter obeysThrottle: whether the instance is slowed down when the policy asks for it.
    init(
        _ workload: MemoryWorkload, _ options: MemoryOptions,
        cost: FreezeCost = FreezeCost(freeze: 5, dump: 40, restore: 40), seed: UInt64 = 1,
        obeysThrottle: Bool = false
    ) {
        var random = SplitMix64(seed: seed)
        var policy = PrecopyPolicy(options: options, cost: cost, pageSize: 4_096)
        var found = UInt64(workload.memory)
        var share = 1.0
        while rounds <= 2_000 {
            let verdict = policy.verdict(found: found, elapsed: seconds)
            verdicts.append(verdict)
            let sending = Double(found) * 4_100 / workload.link + workload.overhead
            guard verdict.step == .anotherRound else {
                downtime = cost.downtime(sending: sending * 1_000)
                return
            }
            if obeysThrottle { share = verdict.processorShare ?? share }
            policy.sent(
                PrecopyPolicy.Round(
                    pages: found, content: found, bytes: found * 4_100, seconds: sending))
            found = workload.dirtied(in: sending * share, at: seconds, &random)
            seconds += sending
            rounds += 1
        }
    }
}
