/// What one round found in a whole instance.
package struct MemoryRound: Sendable {
    /// One task's part.
    package struct Part: Equatable, Sendable {
        package let task: TaskID
        /// By this number the host reads its memory.
        package let pid: Int32
        package let found: TrackedRound
        package let choice: TrackerChain.Choice
    }

    /// Ascending by task; without those that have ended.
    package let parts: [Part]
    /// For how long tasks stood in this round, all added up.
    package let stopped: Duration

    /// What is to be read and sent.
    package var dirty: [DirtyPages] {
        parts.map { DirtyPages(task: $0.task, pid: $0.pid, runs: $0.found.dirty.runs) }
    }

    /// For each task what CRIU need not dump: whatever lies there has been reported, or is zero.
    package var tracked: [TaskID: [PageRun]] { runs { $0.tracked } }

    /// For each task the pages that have content. What was sent once, is tracked and not in here,
    /// is zero by now.
    package var present: [TaskID: [PageRun]] { runs { $0.present } }

    private func runs(_ part: (TrackedRound) -> AddressSet) -> [TaskID: [PageRun]] {
        Dictionary(
            parts.map { ($0.task, part($0.found).runs) }, uniquingKeysWith: { first, _ in first })
    }
}
