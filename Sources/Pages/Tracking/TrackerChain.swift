import LinuxHost
import MigrationCore

/// The kinds of trackers that may be used, tried in order.
package struct TrackerChain: Sendable {
    package let kinds: [TrackerKind]

    package init(_ kinds: [TrackerKind] = TrackerKind.allCases) { self.kinds = kinds }

    /// Which tracker watches a task, and why none before it in the chain does.
    package struct Choice: Equatable, Sendable {
        /// Nil if none does: the task's memory is left to the final dump.
        package var kind: TrackerKind?
        package var refusals: [String] = []
    }

    /// A tracker and for how long the process stood for it.
    struct Installed {
        let tracker: any DirtyTracker
        let stopped: Duration
    }

    /// The first tracker that takes the process and has not refused it before; nil if none does.
    ///
    /// - Parameter refused: gets a reason for each kind that will not do.
    /// - Throws: `busy` or `notFound` if another attempt may end otherwise.
    func install(
        in task: TaskFacts, refused: inout [TrackerKind: String]
    ) throws -> Installed? {
        for kind in kinds where refused[kind] == nil {
            do {
                return try Self.make(kind, for: task)
            } catch let error as GodwitError where error.code == .refused {
                refused[kind] = error.message
            }
        }
        return nil
    }

    private static func make(_ kind: TrackerKind, for task: TaskFacts) throws -> Installed {
        switch kind {
        case .writeProtect:
            let tracker = try WriteProtectTracker(of: task.pid, reader: task.reader)
            return Installed(tracker: tracker, stopped: tracker.stopped)
        case .softDirty:
            return Installed(
                tracker: try SoftDirtyTracker(of: task.pid, reader: task.reader), stopped: .zero)
        case .hash:
            return Installed(
                tracker: try HashTracker(of: task.pid, reader: task.reader), stopped: .zero)
        }
    }
}
