import Foundation
import Logging
package import MigrationCore
import Synchronization

/// A place between two actions of a migration, where a test may end the engine.
package struct CrashPoint: Hashable, Sendable, CustomStringConvertible {
    package let side: Side
    /// The action that comes next, without its payload.
    package let action: String

    package init(_ side: Side, _ action: String) {
        self.side = side
        self.action = action
    }

    package var description: String { "\(side.rawValue) before \(action)" }
}

/// Called before every action. What it throws ends the engine's half of the migration on the spot.
package typealias CrashHook = @Sendable (CrashPoint) async throws -> Void

/// All that the two runners work with.
struct Equipment: Sendable {
    let store: StateStore
    let drivers: [InstanceKind: any Checkpointable]
    let pools: PoolRegistry
    let states: any StateKeeping
    let facts: any HostFactsReading
    let checks: [any Check]
    let dialer: any PeerDialer
    let repeatsPasses: Bool
    let events: @Sendable (HostEvent) -> Void
    let logger: Logger
    let crash: CrashHook

    func driver(_ kind: InstanceKind) throws -> any Checkpointable {
        guard let driver = drivers[kind] else {
            throw GodwitError(.notFound, "this host has no driver for \(kind.rawValue) instances")
        }
        return driver
    }

    func pool(_ name: String) throws -> any MigratingPool { try pools.pool(name) }

    /// What this host is and has now, also to be offered or compared.
    func hostFacts(for definition: InstanceDefinition?) async throws -> HostFacts {
        var poolFacts: [PoolFacts] = []
        let reclaimable = try reclaimable()
        for (name, pool) in pools.usable {
            do {
                var facts = try await pool.facts()
                facts.reclaimable = reclaimable[name]
                poolFacts.append(facts)
            } catch {
                // To those who need it the host has no such pool now.
                logger.warning(
                    "a pool cannot be used", metadata: ["pool": "\(name)", "error": "\(error)"])
            }
        }
        let known = try store.instances().map(\.definition)
        let addresses = known.flatMap(\.interfaces).flatMap(\.addresses)
            .compactMap { $0.split(separator: "/").first.map(String.init) }
        var found = try await facts.facts(
            pools: poolFacts,
            instanceNames: Set(known.map(\.name.text)),
            instanceAddresses: Set(addresses),
            for: definition
        )
        found.publishing?.ports = known.flatMap { $0.ports ?? [] }
        found.namedVolumes = Set(
            try (definition?.namedVolumes ?? []).prefix(Limit.mountsPerInstance)
                .filter { try store.volume($0) != nil })
        return found
    }
}

extension Timestamp {
    package static var now: Timestamp {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }
}

extension Timestamp {
    static func now(after seconds: UInt32) -> Timestamp {
        Timestamp(milliseconds: Timestamp.now.milliseconds + Int64(seconds) * 1_000)
    }
}

extension Duration {
    var inMilliseconds: Double {
        Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15
    }
}

extension GodwitError {
    /// Any error as ours; what is not ours already is a fault of the program.
    static func wrapping(_ error: any Error, in what: String) -> GodwitError {
        if let error = error as? GodwitError { return error }
        if error is CancellationError { return GodwitError(.cancelled, "\(what) was cancelled") }
        return GodwitError(
            .internalFault,
            "\(what) ended with an unexpected error",
            remedy: "report this with the daemon's log",
            cause: "\(error)"
        )
    }

    static let stopping = GodwitError(
        .cancelled,
        "the daemon is stopping",
        remedy: "start the move again once it runs"
    )
}

/// The word before the payload: `record`, `sendVolumes`.
func caseName(_ value: some Sendable) -> String { String("\(value)".prefix { $0 != "(" }) }

/// Throws `timedOut` if the body is not done in time.
func withDeadline<Value: Sendable>(
    _ limit: Duration,
    for what: String,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else {
            throw GodwitError(
                .timedOut,
                "\(what) took longer than \(limit)",
                remedy: "check the network between the hosts"
            )
        }
        return value
    }
}

/// Repeats the body until it succeeds, with pauses from 0.2 s to 5 s; only cancellation ends it.
func persistently<Value: Sendable>(
    _ what: String,
    _ logger: Logger,
    _ body: () async throws -> Value
) async throws -> Value {
    var pause = Duration.milliseconds(200)
    while true {
        do { return try await body() } catch {
            try Task.checkCancellation()
            logger.warning("\(what) did not succeed yet", metadata: ["error": "\(error)"])
        }
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .seconds(5))
    }
}

/// Something that one task waits for and another one says, once.
final class Latch: Sendable {
    private let stream: AsyncStream<Never>
    private let continuation: AsyncStream<Never>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func open() { continuation.finish() }

    /// Returns when the latch is open or the caller is cancelled; for one waiter.
    func wait() async { for await _ in stream {} }
}

/// An answer that is given exactly once: at the latest, as no, when nobody can give it any more.
final class Reply: Sendable {
    private let waiter: Mutex<CheckedContinuation<Bool, Never>?>

    init(_ waiter: CheckedContinuation<Bool, Never>) { self.waiter = Mutex(waiter) }

    deinit { answer(false) }

    func answer(_ value: Bool) {
        let taken = waiter.withLock { waiter in
            defer { waiter = nil }
            return waiter
        }
        taken?.resume(returning: value)
    }
}

/// What is to be handled, in the order of arrival, by one runner.
final class Inbox<Input: Sendable>: Sendable {
    let inputs: AsyncStream<Input>
    private let continuation: AsyncStream<Input>.Continuation
    private let waiting = Mutex(0)

    init() { (inputs, continuation) = AsyncStream.makeStream() }

    func post(_ input: Input) {
        waiting.withLock { $0 += 1 }
        continuation.yield(input)
    }

    /// The runner has handled one.
    func handled() { waiting.withLock { $0 -= 1 } }

    var isEmpty: Bool { waiting.withLock { $0 == 0 } }
}
