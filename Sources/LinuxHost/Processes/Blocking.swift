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
