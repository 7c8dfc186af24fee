import CLinux
import Foundation
import MigrationCore

/// A process whose tasks all stand still for a moment.
package enum HeldProcess {
    /// Whether this kernel marks written pages as soft-dirty (many do not, arm64 never).
    package static let hasSoftDirty = godwit_has_soft_dirty() == 1

    /// Runs the body while no task of the process runs. A system call that was interrupted goes on
    /// as after SIGSTOP and SIGCONT: `epoll_wait` and the others that signal(7) names may end with
    /// EINTR.
    ///
    /// - Throws: `busy` if the tasks do not stop in time, and what the body throws.
    package static func stop<Value>(
        _ process: Int32, patience: Duration = .milliseconds(50), _ body: () throws -> Value
    ) throws -> (Value, stopped: Duration) {
        var outcome: Result<Value, any Error>?
        var nanoseconds: Int64 = 0
        let code = withoutActuallyEscaping({ outcome = Result(catching: body) }) { body in
            var call = Call(body: body)
            // SAFETY: the pointer lives for the call, which runs the body on one thread and joins
            // it.
            return unsafe withUnsafeMutablePointer(to: &call) { pointer in
                unsafe godwit_with_held_process(
                    process, Int32(patience / .microseconds(1)),
                    { unsafe $0?.assumingMemoryBound(to: Call.self).pointee.body() },
                    pointer, &nanoseconds)
            }
        }
        guard code == 0, let outcome else {
            throw GodwitError(
                .busy, "process \(process) does not stand still",
                cause: GodwitError.kernel("hold it", code: code).message)
        }
        return (try outcome.get(), .nanoseconds(nanoseconds))
    }

    /// Clears the soft-dirty marks of all its pages.
    package static func clearSoftDirty(of process: Int32) throws {
        try SmallFile.write("4", to: "/proc/\(process)/clear_refs")
    }

    /// Whether both have one address space, as after `vfork`.
    package static func sharesMemory(_ process: Int32, with other: Int32) -> Bool {
        godwit_shares_memory(process, other) == 1
    }
}

private struct Call {
    let body: () -> Void
}
