import LinuxHost
import MigrationCore
import Pages
import Synchronization

/// The source's half of an instance's memory: trackers in its tasks, and rounds over the streams.
final class OCIMemorySession: MemorySession {
    private let tracker: MemoryTracker
    private let source: PageSource
    private let options: MemoryOptions
    private let cost: FreezeCost
    private let throttle: ProcessorThrottle
    private let progress: @Sendable (MemoryProgress) -> Void
    private let atEnd: @Sendable () async -> Void
    private let state = Mutex(State())

    private struct State {
        var report = MemoryReport()
        /// Nil where this kernel does not tell flags by themselves.
        var flags = try? MappingFlags()
        /// Found by a scan and not sent; the last round takes it along.
        var pending: [TaskID: AddressSet] = [:]
        var last: MemoryRound?
    }

    init(
        over streams: [any ByteStream], options: MemoryOptions, cost: FreezeCost,
        processes: @escaping @Sendable () throws -> [Int32],
        throttle: ProcessorThrottle,
        progress: @escaping @Sendable (MemoryProgress) -> Void,
        atEnd: @escaping @Sendable () async -> Void
    ) {
        let tracker = MemoryTracker(processes: processes)
        self.tracker = tracker
        self.options = options
        self.cost = cost
        self.throttle = throttle
        self.progress = progress
        self.atEnd = atEnd
        source = PageSource(
            streams: streams, compression: options.compression, witness: tracker)
    }

    var report: MemoryReport { state.withLock { $0.report } }

    func sendRounds(beside files: any FilePasses) async throws {
        let began = ContinuousClock.now
        var policy = PrecopyPolicy(
            options: options, cost: cost, pageSize: PageRun.pageSize)
        while true {
            let found = try await tracker.round()
            learn(of: found)
            let pages = found.dirty.reduce(0) { $0 + $1.pageCount }
            let elapsed = (ContinuousClock.now - began) / .seconds(1)
            let ofMemory = policy.verdict(found: UInt64(pages), elapsed: elapsed)
            let verdict = policy.verdict(ofMemory, files: files.outlooks, elapsed: elapsed)
            let isPass = verdict.step == .anotherPass
            guard isPass || verdict.step == .anotherRound else { return try end(verdict, found) }
            if let share = verdict.processorShare {
                try throttle.leave(share)
                state.withLock { $0.report.processorShare = share }
            }
            let number = report.rounds.count + report.roundsLeftOut + 1
            let dirty = ByteCount(bytes: UInt64(pages * PageRun.pageSize))
            progress(MemoryProgress(round: number, sent: source.bytesSent, dirty: dirty))
            let sent = try await source.send(found.dirty)
            policy.sent(
                PrecopyPolicy.Round(
                    pages: UInt64(pages), content: sent.counts.content, bytes: sent.bytes.bytes,
                    seconds: sent.seconds))
            note(sent, pages)
            if isPass {
                try await files.passBeforeFreeze(longerThan: options.downtimeBudget)
                policy.interrupted()
            } else {
                try await files.passWhereDue()
            }
        }
    }

    private func end(_ verdict: PrecopyVerdict, _ found: MemoryRound) throws {
        state.withLock { state in
            state.report.verdict = verdict
            for part in found.parts { state.pending[part.task] = part.found.dirty }
        }
        guard verdict.step != .abort else {
            throw GodwitError(
                .timedOut, "the instance was left where it is: \(verdict.reason)",
                remedy: "allow a longer downtime with --downtime-budget, or more --rounds, or slow "
                    + "it down with --throttle")
        }
    }

    func capture() async throws -> CarriedMemory {
        // The watch ends with `close`, after the freeze: the kernel takes 20 ms for 256 MiB, and
        // CRIU does not mind protected pages.
        let last = try await tracker.round(isLast: true)
        var ranges: [Int32: [Range<UInt64>]] = [:]
        for part in last.parts where !part.found.tracked.isEmpty {
            ranges[part.pid] = part.found.tracked.ranges
        }
        state.withLock { state in
            state.last = last
            for part in last.parts {
                let reasons = part.choice.refusals.joined(separator: "; ")
                state.report.add(
                    tracker: part.choice.kind?.rawValue ?? "none",
                    reason: reasons.isEmpty ? "the best there is" : reasons)
            }
        }
        return CarriedMemory(ranges: ranges, mappings: knownMappings(in: last))
    }

    /// Of more memory the kernel takes longer for smaps (0.2 ms here) than we do.
    private static let large = ByteCount.mebibytes(16)

    private func large(in round: MemoryRound) -> [Int32] {
        round.parts.filter { part in
            part.found.present.ranges.reduce(0) { $0 + UInt64($1.count) } >= Self.large.bytes
        }.map(\.pid)
    }

    /// What cannot be learned CRIU finds out by itself.
    private func learn(of round: MemoryRound) {
        let pids = large(in: round)
        state.withLock { state in for pid in pids { try? state.flags?.learn(from: pid) } }
    }

    private func knownMappings(in round: MemoryRound) -> [Int32: [UInt8]] {
        let flags = state.withLock { $0.flags }
        let known = large(in: round).compactMap { pid in
            (try? flags?.text(of: pid)).map { (pid, $0) }
        }
        return Dictionary(known, uniquingKeysWith: { first, _ in first })
    }

    func finish() async throws {
        let (last, pending) = state.withLock { ($0.last, $0.pending) }
        guard let last else { preconditionFailure("finished before it was captured") }
        let dirty = last.parts.map { part in
            let runs = part.found.dirty.union(pending[part.task] ?? AddressSet())
                .intersection(part.found.present)
            return DirtyPages(task: part.task, pid: part.pid, runs: runs.runs)
        }
        let isOwed = report.verdict?.step == .postcopy
        let sent = try await source.finish(
            dirty, present: last.present, covered: last.tracked, isOwed: isOwed)
        note(sent, isOwed ? 0 : dirty.reduce(0) { $0 + $1.pageCount })
    }

    func close() async {
        await atEnd()
        await tracker.close()
    }

    private func note(_ sent: RoundResult, _ pages: Int) {
        let round = MemoryReport.Round(
            number: sent.round, pages: UInt64(pages), zeroPages: sent.counts.zeros,
            repeatedPages: sent.counts.repeated, bytes: sent.bytes.bytes,
            milliseconds: sent.seconds * 1_000)
        state.withLock { $0.report.add(round) }
        progress(MemoryProgress(round: sent.round, sent: source.bytesSent, dirty: .zero))
    }
}
