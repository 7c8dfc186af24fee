import CLinux
import Foundation
import MigrationCore
import Synchronization

/// A running child, addressed by a pidfd so that no signal ever reaches a stranger.
package final class ChildProcess: Sendable {
    package let pid: Int32
    private let pidfd: Descriptor
    private let group: Group
    private let ending: Task<ExitStatus, Never>

    private init(pid: Int32, pidfd: Descriptor, endsItsGroup: Bool) {
        precondition(pid > 1, "1 and below would name every process, our own group or init")
        self.pid = pid
        self.pidfd = pidfd
        let group = Group(leader: pid)
        self.group = group
        // A task of its own: the child is reaped whether or not anyone waits for it.
        ending = Task {
            // `blocking` only throws what its body throws, and this one does not.
            (try? await blocking { group.reap(pidfd, killingRest: endsItsGroup) }) ?? .exited(255)
        }
    }

    /// Starts the command with exactly the given descriptors (ours, and the number in the child);
    /// the child closes all others but its standard streams, and leads a process group (or session)
    /// of its own.
    ///
    /// - Parameter endsItsGroup: whatever the child leaves behind in its process group is killed
    ///   when
    ///   it ends, before anyone learns of its end.
    /// - Throws: `toolMissing` if there is no such program, `kernelRefused` otherwise.
    package static func start(
        _ command: Command, descriptors: [(Descriptor, Int32)], inNewSession: Bool = false,
        endsItsGroup: Bool = false
    ) throws -> ChildProcess {
        _ = ignoreBrokenPipes
        let environment = ProcessInfo.processInfo.environment
            .merging(command.environment) { _, new in new }
            .map { "\($0.key)=\($0.value)" }
        let pairs = descriptors.flatMap { [$0.0.number, $0.1] }
        var pid: pid_t = 0
        let error = unsafe withCStrings([command.tool] + command.arguments) { words in
            unsafe withCStrings(environment) { variables in
                unsafe (command.root?.places ?? []).withPlaces { places in
                    unsafe godwit_spawn(
                        &pid, command.tool, words, variables, command.directory, pairs,
                        descriptors.count, inNewSession ? 1 : 0, places.baseAddress, places.count)
                }
            }
        }
        guard error != ENOENT else {
            try command.root?.requireAll()
            let place = command.root.map { _ in "below /usr/bin or /usr/local/bin" }
            throw GodwitError(
                .toolMissing, "\(command.tool) is not installed \(place ?? "on this host")",
                remedy: "run `make deps`, or install it and start the daemon again"
            )
        }
        guard error == 0 else { throw GodwitError.kernel("start \(command.tool)", code: error) }
        let pidfd = godwit_pidfd_open(pid)
        guard pidfd >= 0 else {
            let refusal = GodwitError.kernel("open a pidfd for \(command.tool)")
            kill(-pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw refusal
        }
        return ChildProcess(
            pid: pid, pidfd: Descriptor(taking: pidfd), endsItsGroup: endsItsGroup)
    }

    /// Returns when the process has ended and is reaped; may be called by several tasks.
    package func wait() async -> ExitStatus { await ending.value }

    package var hasEnded: Bool { Readiness.wait([pidfd], milliseconds: 0)[0] }

    /// Returns when the process has ended, or the time is over.
    package func end(within milliseconds: Int32) async {
        _ = try? await blocking { [pidfd] in Readiness.wait([pidfd], milliseconds: milliseconds) }
    }

    /// Sends the signal, unless the process has ended.
    package func signal(_ number: Int32) {
        _ = godwit_pidfd_send_signal(pidfd.number, number)
    }

    /// Sends the signal to the child and whatever it has started in its process group, unless the
    /// child has ended.
    package func signalGroup(_ number: Int32) { group.signal(number) }
}

/// The child's process group. Its number is safe to use until the leader is reaped and no longer.
private final class Group: Sendable {
    private let leader: Int32
    private let isReaped = Mutex(false)

    init(leader: Int32) { self.leader = leader }

    func signal(_ number: Int32) {
        isReaped.withLock { if !$0 { kill(-leader, number) } }
    }

    func reap(_ pidfd: Descriptor, killingRest: Bool) -> ExitStatus {
        guard godwit_pidfd_await(pidfd.number) == 0 else { return .exited(255) }
        return isReaped.withLock { isReaped in
            if killingRest { kill(-leader, SIGKILL) }
            var code: Int32 = 0
            var status: Int32 = 0
            let error = unsafe godwit_pidfd_wait(pidfd.number, &code, &status)
            isReaped = true
            guard error == 0 else { return .exited(255) }
            return code == Int32(CLD_EXITED) ? .exited(status) : .signalled(status)
        }
    }
}

/// A null-terminated array of C strings for the duration of `body`.
private func withCStrings<Value>(
    _ texts: [String],
    _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) throws -> Value
) rethrows -> Value {
    // SAFETY: every pointer is freed after `body`, which must not keep them; strdup never returns
    // nil for the sizes that `Limit.word` allows.
    var pointers = unsafe texts.map { unsafe strdup($0) }
    defer { unsafe pointers.forEach { unsafe free($0) } }
    unsafe pointers.append(nil)
    return try unsafe pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("an empty array") }
        return try unsafe body(base)
    }
}

/// A write to a tool that has ended is an error of `write`, not the end of this process.
let ignoreBrokenPipes: Void = { _ = signal(SIGPIPE, SIG_IGN) }()
