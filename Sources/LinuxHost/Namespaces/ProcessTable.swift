import CLinux
import Foundation

/// Processes of this host, as `/proc` shows them.
package enum ProcessTable {
    /// One process's `/proc/PID/stat`.
    package struct Entry: Equatable, Sendable {
        package let pid: Int32
        package let state: Character
        package let parent: Int32
        package let group: Int32
        package let session: Int32
        /// Clock ticks since boot: tells a process from a later one with the same number.
        package let started: UInt64

        /// Reads the line; nil if it is none. The name in parentheses may hold anything.
        package init?(stat: String) {
            guard let nameEnd = stat.lastIndex(of: ")"),
                let pid = Int32(stat.prefix { $0 != " " })
            else { return nil }
            let fields = stat[stat.index(after: nameEnd)...].split(separator: " ")
            guard fields.count > 19, let state = fields[0].first, let parent = Int32(fields[1]),
                let group = Int32(fields[2]), let session = Int32(fields[3]),
                let started = UInt64(fields[19])
            else { return nil }
            self.pid = pid
            self.state = state
            self.parent = parent
            self.group = group
            self.session = session
            self.started = started
        }
    }

    package static func entry(_ pid: Int32) -> Entry? {
        SmallFile.word("/proc/\(pid)/stat").flatMap { Entry(stat: $0) }
    }

    /// Whether it runs: a process that only waits to be reaped does not.
    package static func isAlive(_ pid: Int32) -> Bool {
        guard let entry = entry(pid) else { return false }
        return entry.state != "Z" && entry.state != "X"
    }

    package static func all() -> [Entry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.compactMap { entry($0) }
    }

    /// The process that traces this one; nil if none does.
    package static func tracer(of pid: Int32) -> Int32? {
        let status = SmallFile.word("/proc/\(pid)/status") ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("TracerPid:") }
        let tracer = line?.split(separator: "\t").last.flatMap { Int32($0) }
        return tracer == 0 ? nil : tracer
    }
}
