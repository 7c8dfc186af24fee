import Foundation
import LinuxHost
import MigrationCore

extension Lab {
    /// Ends everything that belongs to the lab and removes its files, on whatever state it finds.
    package static func down(id: String) async throws {
        let directory = directory(of: id)
        let nodes = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        for node in nodes { killNode(directory + "/" + node) }
        try await eventually("no process of lab \(id) is left") {
            killHolders(of: directory).isEmpty
        }
        try await eventually("no cgroup of lab \(id) is left") {
            LabCgroups.remove(prefix: prefix(of: id))
        }
        try? FileManager.default.removeItem(atPath: directory)
        guard !FileManager.default.fileExists(atPath: directory) else {
            throw GodwitError(
                .busy, "\(directory) cannot be removed",
                remedy: "see with `findmnt` whether something is mounted below it")
        }
    }

    /// Removes what labs have left whose owner was killed; labs that somebody uses are left alone.
    package static func sweep() async throws {
        for id in all() where isAbandoned(id) { try await down(id: id) }
    }

    /// A lab without an owner's mark was brought up to stay, or is a few milliseconds old.
    private static func isAbandoned(_ id: String) -> Bool {
        let file = directory(of: id) + "/owner"
        guard let text = try? String(contentsOfFile: file, encoding: .utf8),
            let mark = ProcessMark(text: text)
        else { return false }
        return !mark.isAlive
    }

    /// The first process of a pid namespace takes all others with it.
    private static func killNode(_ directory: String) {
        guard let pid = readPid(directory + "/pid"), isNode(pid, directory) else { return }
        kill(pid, SIGKILL)
    }

    /// The directory is among the first process's own words, so that no stranger who got its number
    /// after a restart is ever killed.
    private static func isNode(_ pid: Int32, _ directory: String) -> Bool {
        commandLine(of: pid).contains(directory)
    }

    /// Kills whatever still names the lab's directory (a node that was only half up) and returns
    /// it.
    private static func killHolders(of directory: String) -> [Int32] {
        let holders = pids(below: "/proc").filter { pid in
            let words = commandLine(of: pid)
            return words.contains("lab-node") && isAlive(pid)
                && words.contains { $0 == directory || $0.hasPrefix(directory + "/") }
        }
        for pid in holders { kill(pid, SIGKILL) }
        return holders
    }
}

/// The words of a process; none if it is gone.
package func commandLine(of pid: Int32, proc: String = "/proc") -> [String] {
    let bytes = FileManager.default.contents(atPath: "\(proc)/\(pid)/cmdline") ?? Data()
    return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
}
