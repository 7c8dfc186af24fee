import Foundation
package import LinuxHost
package import MigrationCore

/// Two hosts with daemons that trust each other, and a container `web` that numbers lines.
package struct MoveLab: Sendable {
    package let lab: Lab

    package init(lab: Lab) { self.lab = lab }

    static let moverFile = "/run/mover"

    /// One process: with version 1 cgroups a task born during the freeze can make CRIU's dump
    /// time out.
    package static let counting = """
        import time, itertools
        lines = open('/lines', 'w', buffering=1)
        for n in itertools.count(1):
            lines.write(str(n) + ' ' + str(time.time()) + chr(10))
            time.sleep(0.02)
        """

    /// - Parameter words: added to each daemon's command line, by the host's name.
    package static func with(
        daemonWords words: [String: [String]] = [:],
        prepare: (Lab) async throws -> Void = { _ in },
        _ body: (MoveLab) async throws -> Void
    ) async throws {
        try await Lab.with { lab in
            try await prepare(lab)
            for host in ["a", "b"] {
                try lab.startService(on: host, lab.daemonWords(of: host) + (words[host] ?? []))
            }
            for host in ["a", "b"] { try await lab.waitUntilReady(host) }
            try await lab.introduce()
            try await body(MoveLab(lab: lab))
        }
    }

    package func launch(_ options: [String] = [], _ command: [String]? = nil) async throws {
        let root = try await RootFilesystem.services.path()
        let words = command ?? ["python3", "-c", Self.counting]
        try await lab.check("a", ["launch", root, "web"] + options + ["--"] + words)
        try await eventually("the container counts", log: lab.daemonLog(of: "a")) {
            try await lines("a").count > 2
        }
    }

    /// Each line's number and the second at which it was written.
    package func lines(_ host: String) async throws -> [(number: Int, seconds: Double)] {
        let result = try await lab.godwit(host, ["exec", "web", "--", "cat", "/lines"])
        return result.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .compactMap { line in
                let words = line.split(separator: " ")
                guard words.count == 2, let number = Int(words[0]), let time = Double(words[1])
                else { return nil }
                return (number, time)
            }
    }

    /// Waits until the container counts on, and returns its lines, each of which must follow from
    /// the one before it.
    @discardableResult
    package func whole(on host: String, after count: Int) async throws -> [(
        number: Int, seconds: Double
    )] {
        try await eventually("the container counts on", log: lab.daemonLog(of: host)) {
            try await lines(host).count > count
        }
        let all = try await lines(host)
        guard all.map(\.number) == Array(1...all.count) else {
            throw GodwitError(.volumeDiffers, "lines are missing or doubled on host \(host)")
        }
        return all
    }

    /// The newest report of `web` that the host has.
    package func report(_ host: String) async throws -> MigrationReport? {
        try await lab.newestReport(of: "web", on: host)
    }

    package func runs(on host: String) async throws -> Bool {
        let text = try await lab.check(host, ["list", "--format", "json"])
        return text.contains("web") && text.contains("running")
    }

    /// What host b has of the instance once nothing moves any more; empty if it is clean. A target
    /// takes a link for lost after 10 s of silence. The group above all instances stays.
    package func leftOnTarget(since earlier: LabInventory) async throws -> [String] {
        var left: [String] = []
        try? await eventually("host b is clean", within: 30) {
            left = lab.inventory(of: "b").leftBehind(since: earlier)
                .filter { !$0.hasSuffix("/" + lab.cgroupParent(of: "b")) }
            left += files("/var/lib/godwit/pools/default/volumes").map { "volume \($0)" }
            left += files("/run/godwit/instances").map { "instance directory \($0)" }
            return left.isEmpty
        }
        return left
    }

    private func files(_ directory: String) -> [String] {
        let path = lab.host("b").path(directory)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { !$0.hasPrefix(".") }
    }

    /// Starts `godwit move` on host a in the background; its pid (as the host counts) is in
    /// `moverFile`.
    package func move(_ options: [String] = []) async throws -> ToolResult {
        let words = [lab.settings.godwit, "move", "web", "host-b:"] + options
        return try await lab.host("a").run(
            ["sh", "-c", "echo $$ >\(Self.moverFile); exec \"$@\"", "sh"] + words, seconds: 100)
    }

    /// Sets `pids.max` of the group above a host's instances, in whichever hierarchy has it: with 1
    /// no restore succeeds there, with `max` any.
    package func limitTasks(_ value: String, on host: String = "b") throws {
        let hierarchies = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].filter {
            FileManager.default.fileExists(atPath: "\($0)/cgroup.procs")
        }
        let files = try hierarchies.map { hierarchy in
            let group = "\(hierarchy)/\(lab.cgroupParent(of: host))"
            try FileManager.default.createDirectory(
                atPath: group, withIntermediateDirectories: true)
            return group + "/pids.max"
        }
        guard !files.isEmpty else {
            throw GodwitError(.kernelRefused, "this machine counts no tasks by cgroup")
        }
        for file in files { try Data(value.utf8).write(to: URL(filePath: file)) }
    }

    package func interruptMove() async throws {
        try await lab.host("a").check(["sh", "-c", "kill -INT $(cat \(Self.moverFile))"])
    }
}
