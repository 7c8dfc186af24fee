import MigrationCore
import TestSupport

/// An instance that writes to files while it moves, as numbers alone.
struct FileWorkload {
    /// Bytes in all, and bytes that are written a second.
    var files = 1e9
    var rate: Double
    /// What is written over and over; more than this is never new.
    var hot = Double.infinity
    /// Bytes a second.
    var link = 200e6
    /// Seconds of a pass with nothing in it.
    var fixed = 0.3
    /// Seconds of a round of memory.
    var round = 0.1
}

/// How files travelled until the instance was frozen, or left where it was.
struct FileRun {
    var seconds = 0.0
    var verdicts: [PrecopyVerdict] = []
    /// Milliseconds that the delta takes in the freeze.
    var delta = 0.0
    private(set) var policy: VolumePassPolicy
    private let workload: FileWorkload
    private var share = 1.0
    private var began = 0.0
    private var written = 0.0

    var last: PrecopyVerdict? { verdicts.last }

    init(_ workload: FileWorkload, _ options: MemoryOptions) {
        self.workload = workload
        let first = workload.fixed + workload.files / workload.link
        policy = VolumePassPolicy(first: first, bytes: workload.files)
        spend(first)
        while policy.pays { pass() }
        let memory = PrecopyVerdict(.freeze, "memory is ready", prediction: 100)
        var rounds = PrecopyPolicy(
            options: options, cost: FreezeCost(freeze: 5, dump: 40, restore: 40), pageSize: 4_096)
        rounds.sent(PrecopyPolicy.Round(pages: 1, content: 1, bytes: 4_100, seconds: 0.1))
        let start = seconds
        while verdicts.count < 100 {
            spend(workload.round)
            let outlooks = policy.outlook(after: seconds - began).map { [$0] } ?? []
            let verdict = rounds.verdict(memory, files: outlooks, elapsed: seconds - start)
            verdicts.append(verdict)
            share = verdict.processorShare ?? share
            guard verdict.step == .anotherPass else { break }
            spend(workload.round)
            rounds.sent(PrecopyPolicy.Round(pages: 1, content: 1, bytes: 4_100, seconds: 0.1))
            if policy.count < Limit.volumePasses { pass() }
        }
        delta = (workload.fixed + sending) * 1_000
    }

    private var sending: Double { written / workload.link }

    private mutating func spend(_ time: Double) {
        seconds += time
        written = min(written + workload.rate * share * time, workload.hot)
    }

    private mutating func pass() {
        let (interval, time) = (seconds - began, workload.fixed + sending)
        let bytes = written
        (began, written) = (seconds, 0)
        spend(time)
        policy.passed(sending: bytes, in: time, over: interval)
    }
}
