import CLinux
import Foundation
import MigrationCore

/// The control group of one instance, on hosts with version 1 hierarchies as on those with version
/// 2.
package struct Cgroup: Sendable {
    /// From the root of the hierarchies, such as `/godwit/web`.
    package let path: String
    let mounts: CgroupMounts

    /// - Throws: `kernelRefused` where no hierarchy with a freezer is mounted.
    package init(path: String, mounts: CgroupMounts) throws {
        precondition(path.hasPrefix("/") && path.count > 1)
        guard mounts.version == 1 || mounts.unified != nil else {
            throw GodwitError(
                .kernelRefused, "no control group hierarchy is mounted",
                remedy: "mount cgroup2 on /sys/fs/cgroup")
        }
        self.path = path
        self.mounts = mounts
    }

    package init(path: String) throws {
        try self.init(path: path, mounts: .current())
    }

    package var exists: Bool { SmallFile.exists(freezerDirectory) }

    /// Every process in the group and in groups below it, as this host numbers them.
    package func processes() -> [Int32] {
        groups(below: freezerDirectory).flatMap { directory in
            (SmallFile.word(directory + "/cgroup.procs") ?? "")
                .split(separator: "\n").compactMap { Int32($0) }
        }
    }

    package var isFrozen: Bool {
        guard mounts.version == 2 else {
            return SmallFile.word(freezerDirectory + "/freezer.state") == "FROZEN"
        }
        let events = SmallFile.word(freezerDirectory + "/cgroup.events") ?? ""
        return events.split(separator: "\n").contains("frozen 1")
    }

    /// A process that a signal had stopped when it was frozen, where it cannot be traced until it
    /// is thawed: in version 1.
    package var untraceable: Int32? {
        guard mounts.version == 1 else { return nil }
        return processes().first { SmallFile.word("/proc/\($0)/wchan") == "do_signal_stop" }
    }

    /// Whether the group was told to freeze, though tasks may still be on their way.
    package var isFreezing: Bool {
        mounts.version == 2
            ? SmallFile.word(freezerDirectory + "/cgroup.freeze") == "1"
            : SmallFile.word(freezerDirectory + "/freezer.state") == "FREEZING"
    }

    /// Stops every task; returns when all stand.
    ///
    /// - Parameter told: called once all are told to stop.
    /// - Throws: `timedOut` after `patience`, with the group thawed again.
    package func freeze(
        patience: Duration = .seconds(5), told: () -> Void = {}
    ) async throws {
        try setFrozen(true)
        told()
        var attempts = 0
        let stands = await holds(within: patience) {
            if isFrozen { return true }
            attempts += 1
            if mounts.version == 1 { insist(attempts) }
            return false
        }
        guard stands else {
            try setFrozen(false)
            throw GodwitError(
                .timedOut, "the tasks of \(path) did not stop within \(patience)",
                remedy: "look for tasks in uninterruptible sleep: ps -eo pid,stat,wchan,comm")
        }
    }

    /// Lets every task run; a group that is not there is no error.
    package func thaw() throws {
        guard exists else { return }
        try setFrozen(false)
    }

    /// Kills every process, also frozen ones, and returns when none is left.
    ///
    /// - Throws: `timedOut` after `patience`.
    package func killAll(patience: Duration = .seconds(10)) async throws {
        let isEmpty = await holds(within: patience) {
            let left = processes()
            if left.isEmpty { return true }
            signalAll(left)
            return false
        }
        guard isEmpty else {
            throw GodwitError(
                .timedOut, "processes of \(path) are left after SIGKILL",
                remedy: "look for tasks in uninterruptible sleep: ps -eo pid,stat,wchan,comm")
        }
    }

    /// Removes the empty group from every hierarchy; there need not be one.
    package func remove() {
        for directory in mounts.directories(of: path) {
            for group in groups(below: directory).reversed() { _ = unsafe rmdir(group) }
        }
    }

    var freezerDirectory: String {
        (mounts.controllers["freezer"] ?? mounts.unified ?? "") + path
    }

    private func setFrozen(_ frozen: Bool) throws {
        if mounts.version == 2 {
            try SmallFile.write(frozen ? "1" : "0", to: freezerDirectory + "/cgroup.freeze")
        } else {
            let state = frozen ? "FROZEN" : "THAWED"
            try SmallFile.write(state, to: freezerDirectory + "/freezer.state")
        }
    }

    /// A task that is born while its group freezes may go on in version 1, and its parent then
    /// waits for it for ever: tell all of them again, and now and then let them run for a moment.
    private func insist(_ attempts: Int) {
        try? setFrozen(!attempts.isMultiple(of: 8))
    }

    /// A frozen task of version 1 dies only once it is thawed.
    private func signalAll(_ processes: [Int32]) {
        for process in processes { _ = kill(process, SIGKILL) }
        try? setFrozen(false)
    }

    /// The directory and those below it, parents first.
    func groups(below directory: String) -> [String] {
        let below = FileManager.default.enumerator(atPath: directory)?.compactMap { entry in
            (entry as? String).map { directory + "/" + $0 }
        }
        return [directory] + (below ?? []).filter { SmallFile.exists($0 + "/cgroup.procs") }
    }
}

/// Asks until the answer is yes or the time is over; pauses grow from 0.2 ms to 10 ms.
package func holds(
    within patience: Duration, _ condition: () throws -> Bool
) async rethrows -> Bool {
    let deadline = ContinuousClock.now + patience
    var pause = Duration.microseconds(200)
    while try !condition() {
        guard ContinuousClock.now < deadline else { return false }
        // A task of its own, since a cancelled caller waits like any other: undoing goes on.
        let next = pause
        await Task { try? await Task.sleep(for: next) }.value
        pause = min(pause * 3 / 2, .milliseconds(10))
    }
    return true
}
