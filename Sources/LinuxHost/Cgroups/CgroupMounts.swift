/// Where this host's control group hierarchies are mounted.
package struct CgroupMounts: Equatable, Sendable {
    /// Mount points of version 1 by controller.
    package let controllers: [String: String]
    /// The mount point of version 2, which on mixed hosts carries no controller.
    package let unified: String?

    /// Reads the text of `/proc/self/mounts`.
    package init(mounts: String) {
        var controllers: [String: String] = [:]
        var unified: String?
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count >= 4 else { continue }
            switch fields[2] {
            case "cgroup":
                for option in fields[3].split(separator: ",")
                where controllers[String(option)] == nil {
                    controllers[String(option)] = fields[1]
                }
            case "cgroup2": unified = unified ?? fields[1]
            default: break
            }
        }
        for option in ["rw", "ro", "relatime", "nosuid", "nodev", "noexec"] {
            controllers[option] = nil
        }
        self.controllers = controllers
        self.unified = unified
    }

    /// The hierarchies as this process sees them.
    package static func current() throws -> CgroupMounts {
        CgroupMounts(mounts: try SmallFile.text("/proc/self/mounts"))
    }

    /// 1 where the freezer is a controller of its own, else 2.
    package var version: Int { controllers["freezer"] == nil ? 2 : 1 }

    /// Every directory that belongs to the group `path`, one for each hierarchy.
    package func directories(of path: String) -> [String] {
        Set(controllers.values).union(unified.map { [$0] } ?? []).sorted().map { $0 + path }
    }

    /// The hierarchies in which an instance may make groups, by the name under which it sees them:
    /// all but those that keep it in (devices) or still (freezer). In version 2 the one that there
    /// is, without a name.
    package var divisible: [(name: String, point: String)] {
        guard version == 1 else { return unified.map { [("", $0)] } ?? [] }
        return Self.divisibleControllers.compactMap { controller in
            controllers[controller].map { (String(controller.trimmingPrefix("name=")), $0) }
        }
    }

    private static let divisibleControllers = [
        "blkio", "cpu", "cpuacct", "cpuset", "hugetlb", "memory", "misc", "name=systemd",
        "net_cls", "net_prio", "perf_event", "pids", "rdma",
    ]
}
