import Foundation
package import MigrationCore

/// The groups that an instance has made below its own, with their limits and who is in them.
package struct Subgroups: Codable, Equatable, Sendable {
    /// Of the hierarchies that they are in.
    package var version: Int
    /// Parents first.
    package var groups: [Group]

    package struct Group: Codable, Equatable, Sendable {
        /// As `CgroupMounts.divisible` names it.
        package var hierarchy: String
        /// Below the instance's own group: `a/b`. Empty for that itself.
        package var path: String
        /// As this host numbers users.
        package var owner: UInt32
        /// Files that have another one than the group.
        package var owners: [String: UInt32]
        /// Those that hold limits, as they were read.
        package var files: [String: String]
        /// By the numbers that they have inside: threads in version 1, processes in version 2.
        package var members: [Int32]

        package init(
            hierarchy: String, path: String, owner: UInt32 = 0, owners: [String: UInt32] = [:],
            files: [String: String] = [:], members: [Int32] = []
        ) {
            self.hierarchy = hierarchy
            self.path = path
            self.owner = owner
            self.owners = owners
            self.files = files
            self.members = members
        }
    }

    package init(version: Int, groups: [Group]) {
        self.version = version
        self.groups = groups
    }

    /// The same groups where the instance's users have other numbers.
    package func changed(_ change: IDChange) -> Subgroups {
        var changed = self
        for index in groups.indices {
            changed.groups[index].owner = change.onTarget(groups[index].owner)
            changed.groups[index].owners = groups[index].owners.mapValues(change.onTarget)
        }
        return changed
    }

    package var isEmpty: Bool { groups.allSatisfy(\.path.isEmpty) }

    /// - Throws: `limitExceeded` for too many groups, `badRequest` for what is no group of an
    ///   instance.
    package init(decoding bytes: [UInt8]) throws {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw GodwitError(
                .badRequest, "the list of control groups is not readable", cause: "\(error)")
        }
        guard groups.count <= Limit.subgroups else { throw Self.tooMany }
        for group in groups where !group.isPlausible(version) {
            throw GodwitError(
                .badRequest, "\"\(group.path.prefix(80))\" is no control group of an instance")
        }
    }

    package static let tooMany = GodwitError(
        .limitExceeded,
        "the instance has more than \(Limit.subgroups) control groups of its own, or more in "
            + "them than is read of a file",
        remedy: "have it remove those that it does not use")

    /// Where the numbers stand of who is in a group.
    static func memberFile(_ version: Int) -> String { version == 1 ? "tasks" : "cgroup.procs" }

    /// What is kept of a group, in the order in which it is written. Rates of disks are not: a disk
    /// has another number elsewhere.
    static func fileNames(_ version: Int) -> [String] { version == 1 ? ofVersion1 : ofVersion2 }

    private static let ofVersion1 = [
        "cgroup.clone_children", "notify_on_release", "cpuset.cpus", "cpuset.mems",
        "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes",
        "memory.swappiness", "cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us",
        "cpu.rt_period_us", "cpu.rt_runtime_us", "pids.max", "blkio.bfq.weight",
        "net_cls.classid",
    ]
    private static let ofVersion2 = [
        "cgroup.subtree_control", "cgroup.max.depth", "cgroup.max.descendants", "memory.max",
        "memory.high", "memory.low", "memory.min", "memory.swap.max", "memory.oom.group",
        "cpu.weight", "cpu.max", "cpuset.cpus", "cpuset.mems", "pids.max", "io.weight",
    ]
    /// What whoever was given a group may write to.
    static let delegated = [
        "cgroup.procs", "tasks", "cgroup.threads", "cgroup.subtree_control",
    ]
}

extension Subgroups.Group {
    fileprivate func isPlausible(_ version: Int) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let isBelow =
            path.isEmpty
            || parts.count <= Limit.subgroupDepth
                && !parts.contains { ["", ".", ".."].contains($0) }
        let known = Set(Subgroups.fileNames(version))
        return isBelow && path.utf8.count <= 4_096 && !path.utf8.contains(0)
            && Set(files.keys).isSubset(of: known)
            && files.values.allSatisfy { $0.utf8.count <= 4_096 }
            && owners.keys.allSatisfy { !$0.contains("/") && $0 != ".." && !$0.utf8.contains(0) }
    }
}
