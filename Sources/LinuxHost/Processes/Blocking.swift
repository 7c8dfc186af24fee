import Foundation

/// Runs a body that blocks (a read of a pipe, a wait for a process) on a thread of its own, so that
/// no thread of the concurrency pool ever waits.
package func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            continuation.resume(with: Result(catching: body))
        }
    }
}

/// Runs the body on this thread and on others beside it; returns when it has ended on all.
///
/// - Parameter threads: how many in all, at least one.
package func alongside(threads: Int, _ body: @escaping @Sendable () -> Void) {
    let others = DispatchGroup()
    for _ in 1..<max(1, threads) {
        others.enter()
        Thread.detachNewThread {
            body()
            others.leave()
        }
    }
    body()
    others.wait()
}
