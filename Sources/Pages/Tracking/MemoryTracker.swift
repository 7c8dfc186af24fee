import LinuxHost
import MigrationCore
import Synchronization

/// Watches all processes of an instance: takes in those that appear, drops those that end, and puts
/// a new tracker into those that execute a program.
package final class MemoryTracker: ReadingWitness {
    private let processes: @Sendable () throws -> [Int32]
    private let watch: Mutex<Watch>
    /// By task, for `wasRead`, which must not wait for a round.
    private let trackers = Mutex<[TaskID: any DirtyTracker]>([:])

    /// - Parameter processes: the pids of the instance as this host numbers them, asked in each
    ///   round.
    package init(
        chain: TrackerChain = TrackerChain(),
        processes: @escaping @Sendable () throws -> [Int32]
    ) {
        self.processes = processes
        watch = Mutex(Watch(chain: chain))
    }

    /// What was written, or is new, since the round before. One round at a time.
    ///
    /// - Parameter isLast: the instance is frozen. No tracker is put into a task any more; what no
    ///   tracker watches is CRIU's.
    package func round(isLast: Bool = false) async throws -> MemoryRound {
        try await blocking { [self] in
            let pids = try processes()
            return watch.withLock { watch in
                let round = watch.round(pids, isLast: isLast)
                trackers.withLock { $0 = watch.trackers }
                return round
            }
        }
    }

    /// Tells what was read of pages that a round reported; see `DirtyTracker`.
    package func wasRead(_ content: UnsafeRawBufferPointer, of task: TaskID, at address: UInt64) {
        unsafe trackers.withLock { $0[task] }?.wasRead(content, at: address)
    }

    /// Takes everything back; before CRIU dumps, or when the instance is to go on as before.
    package func close() async {
        // `blocking` only throws what its body throws, and this one does not.
        try? await blocking { [self] in
            watch.withLock { $0.close() }
            trackers.withLock { $0 = [:] }
        }
    }
}

/// The tasks under watch.
private struct Watch: Sendable {
    let chain: TrackerChain
    private var tasks: [Int32: Watched] = [:]

    init(chain: TrackerChain) { self.chain = chain }

    var trackers: [TaskID: any DirtyTracker] {
        Dictionary(
            tasks.values.compactMap { task in task.tracker.map { (task.id, $0) } },
            uniquingKeysWith: { first, _ in first })
    }

    mutating func round(_ pids: [Int32], isLast: Bool) -> MemoryRound {
        let facts = Set(pids).sorted().compactMap(TaskFacts.init)
        // CRIU's names are those of the instance's own pid namespace, not of one inside it.
        let level = facts.map(\.pids.count).min() ?? 1
        drop(allBut: facts)
        var stopped = Duration.zero
        let parts = facts.compactMap { fact -> MemoryRound.Part? in
            let id = TaskID(fact.pids[level - 1])
            var task = tasks[fact.pid] ?? Watched(facts: fact, id: id)
            task.facts = fact
            let found = task.round(
                chain, isLast: isLast, sharesMemory: sharesMemory(fact, facts), &stopped)
            tasks[fact.pid] = task
            guard let found else { return nil }
            return MemoryRound.Part(
                task: id, pid: fact.reader, found: found, choice: task.choice)
        }
        return MemoryRound(parts: parts.sorted { $0.task < $1.task }, stopped: stopped)
    }

    mutating func close() {
        for task in tasks.values { task.tracker?.close() }
        tasks = [:]
    }

    private mutating func drop(allBut facts: [TaskFacts]) {
        let alive = Dictionary(facts.map { ($0.pid, $0) }, uniquingKeysWith: { one, _ in one })
        for (pid, task) in tasks where alive[pid]?.started != task.started {
            task.tracker?.close()
            tasks[pid] = nil
        }
    }

    /// The child of a `vfork` lives in its parent's memory until it executes a program.
    private func sharesMemory(_ task: TaskFacts, _ all: [TaskFacts]) -> Bool {
        guard tasks[task.pid]?.tracker == nil else { return false }
        return all.contains { $0.pid == task.parent }
            && HeldProcess.sharesMemory(task.reader, with: task.parent)
    }
}

/// One process under watch.
private struct Watched: Sendable {
    let id: TaskID
    let started: UInt64
    private(set) var tracker: (any DirtyTracker)?
    /// A process whose first thread ends is read by another number from then on.
    var facts: TaskFacts {
        didSet { if facts.reader != oldValue.reader { drop() } }
    }
    private var refused: [TrackerKind: String] = [:]
    /// Why none watches it just now.
    private var obstacle: String?
    private var failures = 0

    /// So often in a row a kind may fail until the next one is tried.
    private static let patience = 5

    init(facts: TaskFacts, id: TaskID) {
        self.id = id
        self.facts = facts
        started = facts.started
    }

    var choice: TrackerChain.Choice {
        let reasons = TrackerKind.allCases.compactMap { kind in
            refused[kind].map { "\(kind.rawValue): \($0)" }
        }
        return TrackerChain.Choice(
            kind: tracker?.kind, refusals: reasons + (obstacle.map { [$0] } ?? []))
    }

    /// What the tracker found; an empty round if none watches the task now, nil if it has ended.
    mutating func round(
        _ chain: TrackerChain, isLast: Bool, sharesMemory: Bool, _ stopped: inout Duration
    ) -> TrackedRound? {
        guard !sharesMemory else {
            obstacle = "process \(facts.pid) shares its memory with its parent"
            return TrackedRound()
        }
        // Each turn of the loop but the last ends with a tracker less.
        for _ in 0..<Self.patience {
            do {
                if tracker == nil {
                    guard !isLast, try install(chain, &stopped) else { return TrackedRound() }
                }
                guard let found = try tracker?.round(isFrozen: isLast) else {
                    return TrackedRound()
                }
                failures = 0
                stopped += found.stopped
                return found
            } catch let error as GodwitError where error.code == .notFound {
                return nil
            } catch {
                let wasWatched = tracker != nil
                note(error, chain)
                // A task that does not stop now is asked again in the next round.
                if !wasWatched { return TrackedRound() }
            }
        }
        return TrackedRound()
    }

    private mutating func install(
        _ chain: TrackerChain, _ stopped: inout Duration
    ) throws -> Bool {
        guard let installed = try chain.install(in: facts, refused: &refused) else { return false }
        tracker = installed.tracker
        stopped += installed.stopped
        obstacle = nil
        return true
    }

    private mutating func note(_ error: any Error, _ chain: TrackerChain) {
        let message = (error as? GodwitError)?.message ?? "\(error)"
        let kind = tracker?.kind ?? chain.kinds.first { refused[$0] == nil }
        failures += 1
        obstacle = message
        let isFinal = (error as? GodwitError)?.code == .refused || failures >= Self.patience
        if isFinal, let kind {
            refused[kind] = message
            failures = 0
            obstacle = nil
        }
        drop()
    }

    private mutating func drop() {
        tracker?.close()
        tracker = nil
    }
}
