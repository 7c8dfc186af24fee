import Foundation

/// What there is on a host at one moment: two of them, before and after, show what was left behind.
package struct LabInventory: Equatable, Sendable {
    /// One line for each mount, process, network namespace, interface and cgroup, each said so that
    /// a person finds it again.
    package let things: Set<String>

    /// What is here that was not in `earlier`, sorted.
    package func leftBehind(since earlier: LabInventory) -> [String] {
        things.subtracting(earlier.things).sorted()
    }
}

extension Lab {
    /// Looks at a host from outside, so that looking changes nothing.
    package func inventory(of host: String) -> LabInventory {
        let node = self.host(host)
        let groups = LabCgroups.find(prefix: cgroupParent(of: host)).map { "cgroup \($0)" }
        let things = mounts(of: node) + processes(of: node) + interfaces(of: node) + groups
        return LabInventory(things: Set(numbered(things)))
    }

    func mounts(of node: LabNode) -> [String] {
        let text = try? String(contentsOfFile: "/proc/\(node.pid)/mountinfo", encoding: .utf8)
        return (text ?? "").split(separator: "\n").map { line in
            let fields = line.split(separator: " ")
            let kind = fields.firstIndex(of: "-").map { fields[($0 + 1)...].prefix(1) } ?? []
            return "mount \(fields[4]) \(kind.joined())"
        }
    }

    /// Without pids, which a restart of the daemon changes; the lab's idle sleep left out.
    func processes(of node: LabNode) -> [String] {
        let proc = node.path("/proc")
        let own = network(of: 1, proc: proc)
        return pids(below: proc).compactMap { pid in
            guard startTime(of: pid, proc: proc) != nil else { return nil }
            let words = commandLine(of: pid, proc: proc).joined(separator: " ").prefix(200)
            guard words != "sleep 86400" else { return nil }
            let isElsewhere = network(of: pid, proc: proc) != own
            return "process \(words)" + (isElsewhere ? " in a network namespace of its own" : "")
        }
    }

    private func network(of pid: Int32, proc: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "\(proc)/\(pid)/ns/net")
    }

    func interfaces(of node: LabNode) -> [String] {
        let place = node.path("/sys/class/net")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
        return names.map { "interface \($0)" }
    }
}

/// Tells equal lines apart, so that the second mount on one place is a thing of its own.
private func numbered(_ lines: [String]) -> [String] {
    var seen: [String: Int] = [:]
    return lines.map { line in
        seen[line, default: 0] += 1
        let count = seen[line, default: 1]
        return count == 1 ? line : "\(line) (\(count))"
    }
}
