import MigrationCore

/// How much processor time a group may take in each period, in microseconds
/// (Documentation/scheduler/sched-bwc.rst of the kernel).
package struct ProcessorLimit: Codable, Equatable, Sendable {
    /// Nil for no limit.
    package let quota: UInt64?
    package let period: UInt64

    package init(quota: UInt64?, period: UInt64) {
        self.quota = quota
        self.period = period
    }

    /// So many processors' worth in periods that are as short as can be, so that no task stands
    /// still for long; a thousandth at least.
    package init(processors: Double) {
        precondition(processors >= 0 && processors < 1e6)
        // The kernel takes no quota below a millisecond, and no period above a second.
        let period = min(max(20_000, Self.leastQuota / max(processors, 1e-9)), 1e6)
        self.init(
            quota: UInt64(max(Self.leastQuota, processors * period)), period: UInt64(period))
    }

    private static let leastQuota = 1_000.0
}

extension Cgroup {
    /// - Throws: `kernelRefused` where the group has no processor controller.
    package func processorLimit() throws -> ProcessorLimit {
        let place = try processorDirectory()
        let words =
            mounts.version == 2
            ? (SmallFile.word("\(place)/cpu.max") ?? "").split(separator: " ").map(String.init)
            : ["cpu.cfs_quota_us", "cpu.cfs_period_us"].compactMap {
                SmallFile.word("\(place)/\($0)")
            }
        guard words.count == 2, let period = UInt64(words[1]) else {
            throw GodwitError(.kernelRefused, "\(place) does not tell its processor limit")
        }
        return ProcessorLimit(quota: UInt64(words[0]), period: period)
    }

    package func set(_ limit: ProcessorLimit) throws {
        let place = try processorDirectory()
        let quota = limit.quota.map { "\($0)" }
        guard mounts.version == 1 else {
            return try SmallFile.write("\(quota ?? "max") \(limit.period)", to: "\(place)/cpu.max")
        }
        // A quota must fit the period at every moment: none does.
        try SmallFile.write("-1", to: "\(place)/cpu.cfs_quota_us")
        try SmallFile.write("\(limit.period)", to: "\(place)/cpu.cfs_period_us")
        if let quota { try SmallFile.write(quota, to: "\(place)/cpu.cfs_quota_us") }
    }

    private func processorDirectory() throws -> String {
        let root = mounts.version == 2 ? mounts.unified : mounts.controllers["cpu"]
        guard let root else {
            throw GodwitError(.kernelRefused, "no cgroup controller for processor time is mounted")
        }
        return root + path
    }
}
