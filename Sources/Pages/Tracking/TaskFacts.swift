import LinuxHost
import MigrationCore

/// What `/proc/PID/status` and `stat` say of a process that is to be tracked.
struct TaskFacts: Equatable {
    let pid: Int32
    /// The number by which its memory is read: a thread's where the first has ended.
    let reader: Int32
    /// Outermost first.
    let pids: [Int32]
    let parent: Int32
    /// Tells it from a later process with the same number.
    let started: UInt64

    /// Nil if the process has ended.
    init?(_ pid: Int32) {
        guard let entry = ProcessTable.entry(pid), entry.state != "X",
            let text = SmallFile.word("/proc/\(pid)/status")
        else { return nil }
        let status = ProcessStatus(text)
        guard let reader = entry.state == "Z" ? Self.thread(of: pid) : pid else { return nil }
        self.pid = pid
        self.reader = reader
        pids = status.pids.isEmpty ? [pid] : status.pids
        parent = status.parent
        started = entry.started
    }

    /// A thread that runs although the first has ended.
    private static func thread(of pid: Int32) -> Int32? {
        ((try? Directories.names(in: "/proc/\(pid)/task")) ?? []).compactMap { Int32($0) }.sorted()
            .first {
                $0 != pid
                    && ProcessTable.entry($0).map { $0.state != "Z" && $0.state != "X" } == true
            }
    }

    /// Whether any memory of it is locked.
    static func lockedMemory(of pid: Int32) -> Bool {
        guard let text = SmallFile.word("/proc/\(pid)/status"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmLck:") })
        else { return true }
        return !line.hasSuffix("\t       0 kB")
    }
}
