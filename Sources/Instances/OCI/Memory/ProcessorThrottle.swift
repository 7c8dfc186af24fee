import Foundation
import LinuxHost
import MigrationCore
import Synchronization

/// Leaves an instance with a part of the processor time that it took, while rounds of its memory do
/// not shrink.
///
/// What it had before stands in a file as long as it is slowed down, so that whoever thaws it after
/// a death of the daemon gives it back.
final class ProcessorThrottle: Sendable {
    private let cgroup: Cgroup
    private let file: String
    /// When the rounds began, and what it had taken by then.
    private let began = ContinuousClock.now
    private let taken: UInt64
    /// Processors' worth that it took before it was slowed down.
    private let usage = Mutex<Double?>(nil)

    init(_ cgroup: Cgroup, file: String) {
        self.cgroup = cgroup
        self.file = file
        taken = cgroup.cpuNanoseconds()
    }

    /// - Parameter share: of what it took before the first call.
    func leave(_ share: Double) throws {
        let usage = usage.withLock { usage in
            if let usage { return usage }
            let seconds = max((ContinuousClock.now - began) / .seconds(1), 0.001)
            let measured = Double(cgroup.cpuNanoseconds() &- taken) / 1e9 / seconds
            usage = measured
            return measured
        }
        if !SmallFile.exists(file) {
            let limit = try JSONEncoder().encode(cgroup.processorLimit())
            try SmallFile.replace(file, with: Array(limit))
        }
        try cgroup.set(ProcessorLimit(processors: usage * share))
    }

    /// Gives back what the instance had; does nothing where it is not slowed down.
    static func lift(_ cgroup: Cgroup, file: String) throws {
        guard SmallFile.exists(file) else { return }
        let limit = try JSONDecoder().decode(
            ProcessorLimit.self, from: Data(SmallFile.bytes(file)))
        // With its group the limit is gone, too.
        if cgroup.exists { try cgroup.set(limit) }
        try SmallFile.remove(file)
    }
}
