import LinuxHost
import MigrationCore

/// Whether all memory that is kept from CRIU waits for its pages. A task that ran without would
/// find zeros, and nobody would know.
enum RestoredMemory {
    /// - Parameters:
    ///   - content: what lies in the store.
    ///   - tasks: whose memory CRIU has handed over.
    /// - Throws: `restoreFailed` with the first page that nobody would wait for.
    static func check(
        _ content: [TaskID: [PageRun]], tasks: Set<TaskID>,
        pids: () throws -> [TaskID: Int32]
    ) throws {
        guard !content.isEmpty else { return }
        let numbers = try pids()
        for (task, runs) in content.sorted(by: { $0.key < $1.key }) {
            guard tasks.contains(task) else {
                throw failure(task, "CRIU has not handed over its memory")
            }
            guard let pid = numbers[task] else { throw failure(task, "it is not to be found") }
            let registered = try FaultingRanges.of(pid)
            if let run = runs.first(where: { !isCovered($0, by: registered) }) {
                throw failure(
                    task, "the kernel would not report faults at \(String(run.address, radix: 16))")
            }
        }
    }

    private static func failure(_ task: TaskID, _ cause: String) -> GodwitError {
        GodwitError(
            .restoreFailed, "task \(task.number) could not be restored without its memory",
            remedy: "report this with the instance's memory maps; move it with a full checkpoint",
            cause: cause)
    }

    /// - Parameter ranges: ascending, none touching the next.
    private static func isCovered(_ run: PageRun, by ranges: [Range<UInt64>]) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= run.address { low = middle + 1 } else { high = middle }
        }
        guard low < ranges.count else { return false }
        return ranges[low].lowerBound <= run.address && run.end <= ranges[low].upperBound
    }
}
