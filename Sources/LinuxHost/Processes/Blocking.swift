import Foundation
import Synchronization

/// Runs a body that blocks (a read of a pipe, a wait for a process) on a thread of its own, so that
/// no thread of the concurrency pool ever waits. The thread is kept for a while: to make and end
/// one takes 50 µs, and streams block for each piece of 64 KiB.
package func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        BlockingThreads.shared.run { continuation.resume(with: Result(catching: body)) }
    }
}

/// Returns when the task is cancelled.
package func untilCancelled() async {
    while !Task.isCancelled { try? await Task.sleep(for: .seconds(3_600)) }
}

/// Runs the body on this thread and on others beside it; returns when it has ended on all.
///
/// - Parameter threads: how many in all, at least one.
package func alongside(threads: Int, _ body: @escaping @Sendable () -> Void) {
    let others = DispatchGroup()
    for _ in 1..<max(1, threads) {
        others.enter()
        BlockingThreads.shared.run {
            body()
            others.leave()
        }
    }
    body()
    others.wait()
}

/// Threads without a limit: no body ever waits for another one's end.
private final class BlockingThreads: Sendable {
    static let shared = BlockingThreads()

    typealias Body = @Sendable () -> Void

    /// A thread between two bodies.
    private final class Idle: Sendable {
        let next = Mutex<Body?>(nil)
        let isCalled = DispatchSemaphore(value: 0)

        func take() -> Body? {
            next.withLock { next in
                defer { next = nil }
                return next
            }
        }
    }

    /// The one that came last is called first.
    private let idle = Mutex<[Idle]>([])
    private static let mostIdle = 16
    private static let patience = DispatchTimeInterval.seconds(5)

    func run(_ body: @escaping Body) {
        let waiting = idle.withLock { $0.popLast() }
        let thread = waiting ?? Idle()
        thread.next.withLock { $0 = body }
        guard waiting == nil else {
            thread.isCalled.signal()
            return
        }
        Thread.detachNewThread { self.work(thread) }
    }

    /// Nothing of a body is kept once it has ended: it may hold the last reference to a descriptor.
    private func work(_ own: Idle) {
        repeat { own.take()?() } while waitForCall(own)
    }

    /// Returns false if nobody has called for long, or many wait already.
    private func waitForCall(_ own: Idle) -> Bool {
        let waits = idle.withLock { idle in
            guard idle.count < Self.mostIdle else { return false }
            idle.append(own)
            return true
        }
        guard waits else { return false }
        guard own.isCalled.wait(timeout: .now() + Self.patience) == .timedOut else { return true }
        let isMine = idle.withLock { idle in
            guard let place = idle.firstIndex(where: { $0 === own }) else { return false }
            idle.remove(at: place)
            return true
        }
        // Called in this very moment.
        if !isMine { own.isCalled.wait() }
        return !isMine
    }
}
