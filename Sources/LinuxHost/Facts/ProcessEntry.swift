import Foundation
import MigrationCore

/// One process as /proc shows it.
struct ProcessEntry {
    let pid: Int32
    let status: ProcessStatus

    /// Nil if the process is gone or has ended and only waits to be reaped.
    init?(_ pid: Int32) {
        guard pid > 0, let text = smallFile("/proc/\(pid)/status") else { return nil }
        self.pid = pid
        status = ProcessStatus(text)
        if status.hasEnded { return nil }
    }

    var title: String { "\(printable(status.name)) (pid \(pid))" }

    /// The kernel's name of a namespace, such as `net:[4026531833]`.
    func namespace(_ name: String) -> String? { link("/proc/\(pid)/ns/\(name)") }

    func obstacles(in scene: Scene) -> [(ObstacleKind, String)] {
        ownObstacles(in: scene) + namespaceObstacles(in: scene)
            + mappingObstacles() + descriptorObstacles(in: scene)
    }

    private func ownObstacles(in scene: Scene) -> [(ObstacleKind, String)] {
        var found: [(ObstacleKind, String)] = []
        if status.tracer != 0 { found.append((.traced, "is traced by process \(status.tracer)")) }
        if status.isStopped, scene.hasOldFreezer {
            found.append((.stopped, "was stopped by a signal"))
        }
        guard let first = scene.first else { return found }
        if pid != first.pid, !scene.pids.contains(status.parent) {
            found.append((.outsideProcess, "is no descendant of the instance's first process"))
        }
        if status.isInNamespace, status.innermostSession == 0 {
            found.append((.outsideSession, "belongs to a session outside of the instance"))
        }
        return found
    }

    private func namespaceObstacles(in scene: Scene) -> [(ObstacleKind, String)] {
        Scene.single.compactMap { name in
            guard let own = namespace(name), let allowed = scene.namespaces[name], !allowed.isEmpty,
                !allowed.contains(own)
            else { return nil }
            return (.childNamespace, "is in a \(name) namespace of its own")
        }
    }

    private func mappingObstacles() -> [(ObstacleKind, String)] {
        let text = smallFile("/proc/\(pid)/maps") ?? ""
        var seen: Set<Substring> = []
        return text.split(separator: "\n").compactMap { line in
            guard let (range, path) = mapping(line), seen.insert(path).inserted else { return nil }
            if path == "[uprobes]" { return (.probed, "has probes (uprobes)") }
            if path.hasPrefix("anon_inode:") {
                let kind = anonymousKind(path.dropFirst("anon_inode:".count)) ?? .mappedDevice
                return (kind, "has \(path) mapped")
            }
            guard path.hasPrefix("/dev/"), isForeignDevice(range) else { return nil }
            return (.mappedDevice, "has \(path) mapped")
        }
    }

    /// Of devices, CRIU restores only mappings of /dev/zero.
    private func isForeignDevice(_ range: Substring) -> Bool {
        guard let found = LinuxHost.status("/proc/\(pid)/map_files/\(range)") else { return false }
        return found.isDevice && found.device != (1, 5)
    }

    private func descriptorObstacles(in scene: Scene) -> [(ObstacleKind, String)] {
        names(in: "/proc/\(pid)/fd").compactMap { Int32($0) }.sorted().compactMap { number in
            guard let target = link("/proc/\(pid)/fd/\(number)"),
                let (kind, what) = OpenFile(pid: pid, number: number, target: target)
                    .obstacle(in: scene)
            else { return nil }
            return (kind, "\(what) (descriptor \(number))")
        }
    }
}

/// The address range and the path of a line of /proc/PID/maps; nil for anonymous memory.
package func mapping(_ line: Substring) -> (range: Substring, path: Substring)? {
    let words = line.split(separator: " ", maxSplits: 5)
    guard words.count == 6 else { return nil }
    let path = words[5].drop { $0 == " " }
    return path.isEmpty ? nil : (words[0], path)
}

/// What is needed of /proc/PID/status (proc_pid_status(5)).
package struct ProcessStatus: Equatable {
    package private(set) var name = "unknown"
    package private(set) var hasEnded = false
    /// By a signal, not by who traces it.
    package private(set) var isStopped = false
    /// The process that the thread belongs to.
    package private(set) var process: Int32 = 0
    package private(set) var parent: Int32 = 0
    package private(set) var tracer: Int32 = 0
    /// Outermost first.
    package private(set) var pids: [Int32] = []
    package private(set) var sessions: [Int32] = []

    package init(_ text: String) {
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[colon...].dropFirst().drop { $0 == "\t" || $0 == " " }
            let numbers = value.split { $0 == "\t" || $0 == " " }.compactMap { Int32($0) }
            switch line[..<colon] {
            case "Name": name = String(value.prefix(64))
            case "State":
                hasEnded = value.hasPrefix("Z") || value.hasPrefix("X")
                isStopped = value.hasPrefix("T")
            case "Tgid": process = numbers.first ?? 0
            case "PPid": parent = numbers.first ?? 0
            case "TracerPid": tracer = numbers.first ?? 0
            case "NSpid": pids = numbers
            case "NSsid": sessions = numbers
            default: continue
            }
        }
    }

    package var isInNamespace: Bool { pids.count > 1 }
    package var isFirstOfNamespace: Bool { isInNamespace && pids.last == 1 }
    package var innermostSession: Int32 { sessions.last ?? 0 }
}

extension stat {
    var kind: mode_t { st_mode & S_IFMT }
    var isDevice: Bool { kind == S_IFCHR || kind == S_IFBLK }
    /// Major and minor, split as the C library does.
    var device: (major: UInt32, minor: UInt32) {
        let number = UInt64(st_rdev)
        let major = (number >> 8) & 0xfff | (number >> 32) & 0xffff_f000
        let minor = number & 0xff | (number >> 12) & 0xffff_ff00
        return (UInt32(truncatingIfNeeded: major), UInt32(truncatingIfNeeded: minor))
    }
}
