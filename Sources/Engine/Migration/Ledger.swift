import MigrationCore
import Synchronization

/// The report of a running migration as it grows, and its progress, for all who look.
final class Ledger: Sendable {
    private struct Book {
        var report: MigrationReport
        var progress: MigrationProgress
        var phaseSince: ContinuousClock.Instant
        var stepSince: ContinuousClock.Instant
        var frozen: ContinuousClock.Instant?
        var stateSent: ContinuousClock.Instant?
        var isOver = false
        /// Of each kind, by volume.
        var sent: [String: [String: UInt64]] = [:]

        mutating func closePhase() {
            let now = ContinuousClock.now
            let spent = phaseSince.duration(to: now).inMilliseconds
            report.phases.append(.init(phase: report.phase, milliseconds: spent))
            phaseSince = now
        }

        mutating func rate(_ sent: ByteCount, of total: ByteCount?) {
            let seconds = stepSince.duration(to: .now).inMilliseconds / 1000
            guard seconds > 0 else { return }
            let perSecond = Double(sent.bytes) / seconds
            progress.bytesPerSecond = ByteCount(bytes: UInt64(min(perSecond, 1e18)))
            let left = total.flatMap { $0 >= sent ? Double($0.bytes - sent.bytes) : nil }
            progress.secondsLeft = left.map { $0 / perSecond }
        }
    }

    private let book: Mutex<Book>
    private let listener: @Sendable (MigrationProgress) -> Void

    init(
        _ report: MigrationReport,
        _ listener: @escaping @Sendable (MigrationProgress) -> Void = { _ in }
    ) {
        let now = ContinuousClock.now
        let progress = MigrationProgress(id: report.id, phase: report.phase, step: "begin")
        book = Mutex(
            Book(
                report: report, progress: progress, phaseSince: now, stepSince: now,
                isOver: report.ended != nil)
        )
        self.listener = listener
    }

    var report: MigrationReport { book.withLock { $0.report } }
    var progress: MigrationProgress? { book.withLock { $0.isOver ? nil : $0.progress } }

    /// Custody was offered and nothing has come back.
    var isHandingOver: Bool {
        book.withLock { !$0.isOver && $0.report.phase == .finish }
    }

    /// - Returns: whether the phase is a new one. It never goes back.
    func enter(_ phase: Phase) -> Bool {
        let progress = book.withLock { book -> MigrationProgress? in
            guard phase > book.report.phase else { return nil }
            book.closePhase()
            book.report.phase = phase
            book.progress.phase = phase
            return book.progress
        }
        guard let progress else { return false }
        listener(progress)
        return true
    }

    func begin(_ step: String) {
        let progress = book.withLock { book in
            book.progress.step = step
            book.progress.bytesPerSecond = .zero
            book.progress.secondsLeft = nil
            book.stepSince = .now
            return book.progress
        }
        listener(progress)
    }

    func sent(_ transfer: TransferProgress, as kind: String, of volume: String) {
        let progress = book.withLock { book in
            book.sent[kind, default: [:]][volume] = transfer.sent.bytes
            book.report.bytes[kind] = book.sent[kind]?.values.reduce(0, &+)
            if kind == "volume" {
                book.progress.volumeSent = transfer.sent
                book.progress.volumeTotal = transfer.total
            }
            book.rate(transfer.sent, of: transfer.total)
            return book.progress
        }
        listener(progress)
    }

    /// Bytes so far.
    func sent(as kind: String, of volume: String) -> UInt64 {
        book.withLock { $0.sent[kind]?[volume] ?? 0 }
    }

    /// - Parameter number: of the pass's stream, from 0.
    /// - Returns: the bytes that it has sent.
    func passed(over volume: String, _ number: Int, in milliseconds: Double) -> UInt64 {
        let bytes = sent(as: "passes", of: Self.key(volume, number))
        let pass = MigrationReport.Pass(
            volume: volume, number: number + 2, bytes: bytes, milliseconds: milliseconds)
        book.withLock { $0.report.passes = ($0.report.passes ?? []) + [pass] }
        return bytes
    }

    func sent(_ transfer: TransferProgress, inPass number: Int, over volume: String) {
        sent(transfer, as: "passes", of: Self.key(volume, number))
    }

    private static func key(_ volume: String, _ pass: Int) -> String { "\(volume) \(pass)" }

    func sentCheckpoint(_ count: ByteCount) {
        let progress = book.withLock { book in
            book.report.bytes["checkpoint"] = count.bytes
            book.progress.checkpointSent = count
            book.rate(count, of: nil)
            return book.progress
        }
        listener(progress)
    }

    func sent(_ memory: MemoryProgress) {
        let progress = book.withLock { book in
            book.report.bytes["memory"] = memory.sent.bytes
            book.progress.step = "send memory, round \(memory.round)"
            book.rate(memory.sent, of: nil)
            return book.progress
        }
        listener(progress)
    }

    func set(_ memory: MemoryReport) { book.withLock { $0.report.memory = memory } }

    func add(statistics: [String: Double]) {
        book.withLock { $0.report.statistics.merge(statistics) { _, new in new } }
    }

    /// Runs the body and notes how long it took as a part of the downtime.
    func timing<Value>(_ part: String, _ body: () async throws -> Value) async rethrows -> Value {
        let start = ContinuousClock.now
        let value = try await body()
        note(part, start.duration(to: .now).inMilliseconds)
        return value
    }

    /// Runs the body, and notes how long it took if the instance stood still until then.
    func timingThaw(_ body: () async throws -> Void) async rethrows {
        guard book.withLock({ $0.frozen != nil }) else { return try await body() }
        try await timing("thaw", body)
    }

    /// Of parts that come once for each volume, which go on at once, the longest counts.
    func note(_ part: String, _ milliseconds: Double) {
        book.withLock { book in
            book.report.downtime[part] = max(book.report.downtime[part] ?? 0, milliseconds)
        }
    }

    func freezeStarted() { book.withLock { $0.frozen = $0.frozen ?? .now } }

    func stateSent() { book.withLock { $0.stateSent = .now } }

    /// The target has all of the state: what passed since it was sent is the transfer's tail.
    func stateArrived() {
        book.withLock { book in
            let since = book.stateSent ?? .now
            book.report.downtime["transfer"] = since.duration(to: .now).inMilliseconds
        }
    }

    func finished(_ receipt: Receipt) {
        book.withLock { book in
            book.report.downtime.merge(receipt.milliseconds) { _, new in new }
            guard book.report.mode == .live, let frozen = book.frozen else { return }
            book.report.downtimeMilliseconds = frozen.duration(to: .now).inMilliseconds
            book.report.memory?.outcome = book.report.downtimeMilliseconds
        }
    }

    /// Memory that came after the instance ran.
    func fetched(_ receipt: Receipt) {
        guard let fetch = receipt.fetched else { return }
        book.withLock { $0.report.memory?.fetch = fetch }
    }

    func set(_ mounts: [String: MountTreatment]?) { book.withLock { $0.report.mounts = mounts } }

    func set(_ status: MigrationReport.Status) { book.withLock { $0.report.status = status } }

    func conclude(_ outcome: Outcome) {
        book.withLock { book in
            guard !book.isOver else { return }
            book.isOver = true
            book.closePhase()
            book.report.ended = .now
            switch outcome {
            case .moved(let receipt):
                book.report.status = .succeeded
                book.report.newName = receipt.name
            case .planned: book.report.status = .succeeded
            case .notMoved(let error):
                book.report.status = error.code == .cancelled ? .cancelled : .failed
                book.report.error = error
            }
        }
    }
}
