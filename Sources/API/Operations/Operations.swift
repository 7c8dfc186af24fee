import Foundation
import Logging
import MigrationCore
import ServiceLifecycle
import Synchronization

/// All asynchronous operations of this daemon: the running ones, and the last
/// `Limit.operationsKept` of those that are over.
final class Operations: Sendable {
    /// How a running operation can be ended early.
    enum Cancellation: Sendable {
        case never
        /// By cancelling its task.
        case task
        /// By this request, which may be refused; the operation ends by itself afterwards.
        case request(@Sendable () async throws -> Void)
    }

    struct Job: Sendable {
        let id: String
        let cancelSignal: AsyncStream<Void>
        let body: @Sendable (OperationHandle) async throws -> Void
    }

    struct Entry {
        var view: OperationView
        var cancellation: Cancellation
        var cancelSignal: AsyncStream<Void>.Continuation
        /// Ended, each, when the operation is.
        var waiters: [UUID: AsyncStream<Void>.Continuation] = [:]
        var exec: ExecSession?
    }

    struct State {
        var entries: [String: Entry] = [:]
        /// Ids, oldest first.
        var order: [String] = []
        var isClosed = false
    }

    let events: EventHub
    private let state = Mutex(State())
    private let jobs: AsyncStream<Job>
    private let queue: AsyncStream<Job>.Continuation
    /// Ids of operations to cancel because the daemon is stopping.
    private let endings: AsyncStream<String>
    private let endingQueue: AsyncStream<String>.Continuation

    init(events: EventHub) {
        self.events = events
        (jobs, queue) = AsyncStream.makeStream(of: Job.self)
        (endings, endingQueue) = AsyncStream.makeStream(of: String.self)
    }

    /// Performs operations until a graceful shutdown, which ends those that may be cancelled (as
    /// soon as they may) and waits for the others.
    func run() async {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.performAll() }
                for await id in endings { group.addTask { try? await self.cancel(id) } }
            }
        } onGracefulShutdown: {
            self.close()
        }
    }

    private func performAll() async {
        await withDiscardingTaskGroup { group in
            for await job in jobs { group.addTask { await self.perform(job) } }
        }
        endingQueue.finish()
    }

    private func close() {
        state.withLock { $0.isClosed = true }
        queue.finish()
        for view in all() where !view.isOver && view.mayCancel { endingQueue.yield(view.id) }
    }

    /// What is asked of a new operation.
    struct Request {
        var `class` = OperationView.Class.task
        var description: String
        var resources: [String: [String]]
        var cancellation = Cancellation.never
        var metadata: [String: JSONValue] = [:]
        var exec: ExecSession?
    }

    /// Begins an operation and returns at once.
    ///
    /// - Throws: `busy` when too many are running, or the daemon is stopping.
    func begin(
        _ request: Request, body: @escaping @Sendable (OperationHandle) async throws -> Void
    ) throws -> OperationView {
        let (signal, continuation) = AsyncStream.makeStream(of: Void.self)
        let view = newView(request)
        try state.withLock { state in
            try makeRoom(&state)
            state.order.append(view.id)
            state.entries[view.id] = Entry(
                view: view, cancellation: request.cancellation, cancelSignal: continuation,
                exec: request.exec)
        }
        publish(view)
        queue.yield(Job(id: view.id, cancelSignal: signal, body: body))
        return view
    }

    /// Begins an operation on an instance.
    func begin(
        _ description: String, on name: InstanceName,
        body: @escaping @Sendable (OperationHandle) async throws -> Void
    ) throws -> OperationView {
        let request = Request(
            description: description, resources: ["instances": ["/1.0/instances/\(name)"]])
        return try begin(request, body: body)
    }

    func all() -> [OperationView] {
        state.withLock { state in state.order.compactMap { state.entries[$0]?.view } }
    }

    func view(_ id: String) throws -> OperationView { try entry(id).view }

    /// The session of a running `exec`; nil for any other operation.
    func execSession(_ id: String) throws -> ExecSession? { try entry(id).exec }

    /// Returns the operation once it is over, or as it is after `timeout` (nil: never).
    func wait(_ id: String, timeout: Duration?) async throws -> OperationView {
        _ = try view(id)
        let ending = ending(of: id)
        await withTaskGroup { group in
            group.addTask { for await _ in ending {} }
            if let timeout { group.addTask { try? await Task.sleep(for: timeout) } }
            await group.next()
            group.cancelAll()
        }
        return try view(id)
    }

    /// - Throws: `busy` if the operation cannot be cancelled (any more).
    func cancel(_ id: String) async throws {
        let entry = try entry(id)
        guard !entry.view.isOver else {
            throw GodwitError(.busy, "the operation \(id) is over already")
        }
        switch entry.cancellation {
        case .never:
            throw GodwitError(
                .busy, "the operation \(id) cannot be cancelled", remedy: "wait until it is over")
        case .task: entry.cancelSignal.yield()
        case .request(let request): try await request()
        }
    }

    fileprivate func update(_ id: String, _ change: (inout Entry) -> Void) {
        let view = state.withLock { state -> OperationView? in
            guard var entry = state.entries[id], !entry.view.isOver else { return nil }
            change(&entry)
            entry.view.updatedAt = rfc3339Now()
            state.entries[id] = entry
            return entry.view
        }
        guard let view else { return }
        publish(view)
        let isClosed = state.withLock(\.isClosed)
        if isClosed, view.mayCancel { endingQueue.yield(id) }
    }
}

extension Operations {
    private func newView(_ request: Request) -> OperationView {
        let now = rfc3339Now()
        var mayCancel = true
        if case .never = request.cancellation { mayCancel = false }
        return OperationView(
            id: UUID().uuidString.lowercased(), class: request.class,
            description: request.description, createdAt: now, updatedAt: now, status: "Running",
            statusCode: StatusCode.operationRunning, resources: request.resources,
            metadata: request.metadata, mayCancel: mayCancel, err: "", location: "none")
    }

    private func makeRoom(_ state: inout State) throws {
        guard !state.isClosed else {
            throw GodwitError(.busy, "the daemon is stopping", remedy: "ask again once it is back")
        }
        guard state.order.count >= Limit.operationsKept else { return }
        guard let oldest = state.order.firstIndex(where: { state.entries[$0]?.view.isOver == true })
        else {
            throw GodwitError(
                .busy, "\(Limit.operationsKept) operations are running",
                remedy: "wait until some are over")
        }
        state.entries[state.order.remove(at: oldest)] = nil
    }

    private func entry(_ id: String) throws -> Entry {
        guard let entry = state.withLock({ $0.entries[id] }) else {
            throw GodwitError(
                .notFound, "there is no operation \"\(id.prefix(80))\"",
                remedy: "list them with `GET /1.0/operations`")
        }
        return entry
    }

    /// A sequence without elements that ends when the operation does.
    private func ending(of id: String) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let number = UUID()
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.entries[id]?.waiters[number] = nil }
        }
        let isOver = state.withLock { state in
            guard state.entries[id]?.view.isOver == false else { return true }
            state.entries[id]?.waiters[number] = continuation
            return false
        }
        if isOver { continuation.finish() }
        return stream
    }

    private enum Outcome { case ended(GodwitError?), cancelRequested }

    private func perform(_ job: Job) async {
        let failure = await withTaskGroup(of: Outcome.self) { group -> GodwitError? in
            group.addTask { .ended(await self.failure(of: job)) }
            group.addTask {
                for await _ in job.cancelSignal { break }
                return .cancelRequested
            }
            while let outcome = await group.next() {
                group.cancelAll()
                if case .ended(let failure) = outcome { return failure }
            }
            preconditionFailure("the body of an operation did not end")
        }
        finish(job.id, failure)
    }

    private func failure(of job: Job) async -> GodwitError? {
        do {
            guard !state.withLock(\.isClosed) else {
                throw GodwitError(.cancelled, "the daemon stopped before the operation began")
            }
            try await job.body(OperationHandle(id: job.id, operations: self))
            return nil
        } catch {
            return GodwitError(wrapping: error)
        }
    }

    private func finish(_ id: String, _ failure: GodwitError?) {
        update(id) { entry in
            let (status, code) = Self.status(of: failure)
            entry.view.status = status
            entry.view.statusCode = code
            entry.view.mayCancel = false
            entry.view.err = failure?.message ?? ""
            if let failure { entry.view.metadata["error"] = try? JSONValue(encoding: failure) }
            entry.exec = nil
        }
        let waiters = state.withLock { state in
            let waiters = state.entries[id]?.waiters ?? [:]
            state.entries[id]?.waiters = [:]
            return waiters
        }
        for waiter in waiters.values { waiter.finish() }
    }

    private static func status(of failure: GodwitError?) -> (String, Int) {
        guard let failure else { return ("Success", StatusCode.operationSucceeded) }
        return failure.code == .cancelled
            ? ("Cancelled", StatusCode.operationCancelled)
            : ("Failure", StatusCode.operationFailed)
    }

    private func publish(_ view: OperationView) {
        // A value of our own always has an encoding.
        guard let metadata = try? JSONValue(encoding: view) else { return }
        events.publish(Event(.operation, metadata))
    }
}

/// What the body of an operation may say about it while it runs.
struct OperationHandle: Sendable {
    let id: String
    fileprivate let operations: Operations

    func set(_ key: String, _ value: JSONValue) {
        operations.update(id) { $0.view.metadata[key] = value }
    }

    func set(_ key: String, _ value: some Encodable) {
        // A value of our own always has an encoding.
        guard let value = try? JSONValue(encoding: value) else { return }
        set(key, value)
    }

    func addResource(_ kind: String, _ path: String) {
        operations.update(id) { $0.view.resources[kind, default: []].append(path) }
    }

    func setCancellation(_ cancellation: Operations.Cancellation) {
        operations.update(id) { entry in
            entry.cancellation = cancellation
            if case .never = cancellation {
                entry.view.mayCancel = false
            } else {
                entry.view.mayCancel = true
            }
        }
    }
}

extension GodwitError {
    /// The error itself if it is one of ours; a cancelled task is `cancelled`.
    init(wrapping error: any Error) {
        switch error {
        case let error as GodwitError: self = error
        case is CancellationError: self = GodwitError(.cancelled, "the operation was cancelled")
        default:
            self = GodwitError(
                .internalFault, "an error that the daemon did not expect",
                remedy: "look into the daemon's log", cause: "\(error)")
        }
    }
}
