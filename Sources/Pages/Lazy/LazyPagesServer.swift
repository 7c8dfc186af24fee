import Foundation
import LinuxHost
import MigrationCore
import Synchronization

/// Gives a restored instance its memory: takes the place of `criu lazy-pages`, answers page faults
/// from a store and fills in everything else behind them, from threads of its own.
///
/// Pages that are *owed* have not come yet when the instance runs: `fetcher` asks the source for
/// them.
///
/// Life: `init` listens, so that runc may be started; `run` serves; `complete` says that the store
/// has all it will have, before which no task runs; `run` returns when every page has been placed.
///
/// Until then the instance depends on this process. If it dies, the kernel closes its descriptors,
/// and tasks find zeros where their pages would have been: whoever restarts after that must end the
/// instance. The same holds if `run` throws or is cancelled, which is for restores that have
/// failed.
package final class LazyPagesServer: Sendable {
    struct Work: Sendable {
        let space: AddressSpace
        let index: UInt64
    }

    struct State {
        var isComplete = false
        var isStopped = false
        var began: ContinuousClock.Instant?
        var took: Duration?
        var spaces: [AddressSpace] = []
        var lastFault: ContinuousClock.Instant?
        var failure: GodwitError?
    }

    let store: PageStore
    let placer: Placer
    /// Asks for what the store still lacks.
    package let fetcher = PageFetcher()
    let queue = WorkQueue<Work>()
    let state = Mutex(State())
    let listener: LocalListener
    let deviceListener: LocalListener
    let pids: @Sendable () throws -> [TaskID: Int32]
    private let threads: Int
    private let pause: Duration
    private let wakeUp: (read: Descriptor, write: Descriptor)

    /// - Parameters:
    ///   - work: CRIU's work directory at the restore.
    ///   - images: the directory of its images, which tasks in a user namespace must be able to
    ///     enter.
    ///   - threads: how many fill in the background.
    ///   - pause: what each of them waits after 2 MiB or less, to leave the host to others.
    ///   - pids: the restored tasks as this host numbers them; asked once, when all stand.
    package init(
        store: PageStore, work: String, images: String,
        threads: Int = min(4, ProcessInfo.processInfo.activeProcessorCount),
        pause: Duration = .zero,
        pids: @escaping @Sendable () throws -> [TaskID: Int32]
    ) throws {
        precondition(threads > 0)
        self.store = store
        self.threads = threads
        self.pause = pause
        self.pids = pids
        placer = Placer(store)
        wakeUp = try Descriptor.pipe()
        listener = try LocalListener(LazyPages.socket, in: work, mode: 0o600)
        // The directory above keeps all others out.
        deviceListener = try LocalListener(LazyPages.deviceSocket, in: images, mode: 0o666)
    }

    /// How many pages have not come yet.
    package var owedPages: Int { store.owedPages }

    /// What has been done up to now.
    package var progress: LazyReport {
        var report = placer.report
        let (spaces, began, took) = state.withLock { ($0.spaces, $0.began, $0.took) }
        report.pagesLeft = spaces.reduce(0) { $0 + $1.pendingPages }
        let duration = took ?? began.map { ContinuousClock.now - $0 } ?? .zero
        report.milliseconds = duration / .milliseconds(1)
        return report
    }

    /// The store has everything. Called once, before or while CRIU restores.
    ///
    /// - Parameter present: the pages that the instance had when it was frozen, where CRIU was kept
    ///   from seeing them; what the store has beside them is forgotten. Nil if it has no others.
    package func complete(_ present: [TaskID: [PageRun]]?) {
        if let present { store.keepOnly(present) }
        state.withLock { state in
            precondition(!state.isComplete, "completed twice")
            state.isComplete = true
        }
        wake()
    }

    /// Serves until all pages are placed.
    ///
    /// - Throws: `restoreFailed` if CRIU did not hand over all memory; then no task has run if CRIU
    ///   was started with our library. `kernelRefused` if pages cannot be placed.
    package func run() async throws -> LazyReport {
        fetcher.attach(self)
        defer { fetcher.end() }
        try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<threads {
                    group.addTask { try await blocking { self.fill() } }
                }
                group.addTask { try await blocking { try self.serve() } }
                while try await group.next() != nil {}
            }
        } onCancel: {
            stop(nil)
        }
        try Task.checkCancellation()
        return progress
    }

    /// The number of pages that one call places: few while faults come, which wait for it.
    var pagesAtOnce: Int {
        let last = state.withLock { $0.lastFault }
        guard let last, ContinuousClock.now - last < .milliseconds(5) else {
            return PageSet.capacity
        }
        return 64
    }

    func wake() { try? wakeUp.write.write([0]) }

    func stop(_ failure: GodwitError?) {
        state.withLock { state in
            state.isStopped = true
            state.failure = state.failure ?? failure
        }
        queue.end()
        wake()
    }

    private func serve() throws {
        defer {
            queue.end()
            listener.close()
            deviceListener.close()
        }
        var loop = LazyEventLoop(self, wakeUp: wakeUp.read)
        try loop.run()
    }

    /// One thread of the background.
    private func fill() {
        while let work = queue.next() {
            let result = work.space.gate.reading {
                work.space.claim(work.index, limit: pagesAtOnce).map {
                    placer.place($0, in: work.space, byFault: false)
                }
            }
            finish(work, result)
            if pause > .zero {
                _ = Readiness.wait(
                    [], milliseconds: Int32(clamping: Int64(pause / .milliseconds(1))))
            }
        }
    }

    private func finish(_ work: Work, _ result: Placer.Result?) {
        switch result {
        case nil:
            if work.space.isDone { wake() }
        case .done:
            queue.add([work])
        case .early:
            queue.putBack(work)
            _ = Readiness.wait([], milliseconds: 1)
        case .gone:
            placer.abandon(work.space)
            wake()
        case .failed(let code):
            stop(GodwitError.kernel("place a page of task \(work.space.task.number)", code: code))
        }
    }
}

/// Names that CRIU and the library in it know.
enum LazyPages {
    static let socket = "lazy-pages.socket"
    static let deviceSocket = "userfaultfd.socket"
}
