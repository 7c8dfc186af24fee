import Logging
import MigrationCore
import Synchronization

/// What reaches the runner of a migration's source.
enum SourceInput: Sendable {
    case event(SourceEvent)
    case connected(any MessageChannel)
    case message(Message, link: Int)
    case linkEnded(Int)
    case cancel(GodwitError, Reply?)
    case resolve(Resolution, Reply)
    case shutDown
}

/// One migration of which this host is the source, as the rest of the engine sees it.
final class SourceJob: Sendable {
    let id: MigrationID
    let context: SourceContext
    let timeout: Duration?
    let inbox = Inbox<SourceInput>()
    let ledger: Ledger
    private let ending = Mutex(Ending())
    private let limit: Mutex<ByteCount?>

    private struct Ending {
        var result: Result<MigrationReport, GodwitError>?
        var waiters: [CheckedContinuation<MigrationReport, any Error>] = []
    }

    init(
        id: MigrationID,
        context: SourceContext,
        timeout: Duration? = nil,
        ledger: Ledger
    ) {
        self.id = id
        self.context = context
        self.timeout = timeout
        self.ledger = ledger
        limit = Mutex(context.options.bandwidth)
    }

    /// Bytes a second at most; a change holds until the daemon ends.
    var bandwidth: ByteCount? {
        get { limit.withLock { $0 } }
        set { limit.withLock { $0 = newValue } }
    }

    var isConcluded: Bool { ending.withLock { $0.result != nil } }

    /// The report once the instance has moved; throws if it has not.
    func outcome() async throws -> MigrationReport {
        try await withCheckedThrowingContinuation { waiter in
            let result = ending.withLock { ending in
                if ending.result == nil { ending.waiters.append(waiter) }
                return ending.result
            }
            if let result { waiter.resume(with: result.mapError { $0 as any Error }) }
        }
    }

    /// Tells all who wait; the first word counts.
    func conclude(_ result: Result<MigrationReport, GodwitError>) {
        let waiters: [CheckedContinuation<MigrationReport, any Error>] = ending.withLock { ending in
            guard ending.result == nil else { return [] }
            ending.result = result
            defer { ending.waiters = [] }
            return ending.waiters
        }
        for waiter in waiters { waiter.resume(with: result.mapError { $0 as any Error }) }
    }

    /// Asks the runner to cancel, and whether it was early enough for that.
    func cancel(_ reason: GodwitError) async -> Bool {
        await withCheckedContinuation { inbox.post(.cancel(reason, Reply($0))) }
    }

    func resolve(_ resolution: Resolution) async -> Bool {
        await withCheckedContinuation { inbox.post(.resolve(resolution, Reply($0))) }
    }
}
