import Foundation
package import LinuxHost
import MigrationCore

extension Lab {
    private static let pidFile = "/run/godwit-lab.pid"

    /// What the host's daemon is started with.
    package func daemonWords(of host: String) -> [String] {
        [
            settings.godwit, "daemon", "--name", "host-\(host)",
            "--listen", "\(address(of: host)):\(Self.port)",
            "--cgroup-parent", cgroupParent(of: host), "--criu", settings.criu,
        ] + settings.daemonArguments
    }

    /// Starts the daemon of a host and returns when it answers.
    package func startDaemon(on host: String) async throws {
        try startService(on: host, daemonWords(of: host))
        try await waitUntilReady(host)
    }

    /// Starts the daemons of all hosts and returns when all answer.
    package func startDaemons() async throws {
        for host in hosts { try startService(on: host.name, daemonWords(of: host.name)) }
        for host in hosts { try await waitUntilReady(host.name) }
    }

    /// Starts `words` in the daemon's place, without waiting for anything.
    package func startService(on host: String, _ words: [String]) throws {
        let node = self.host(host)
        precondition(daemonPid(on: host) == nil, "host \(host) has a daemon already")
        _ = try startDetached(
            LabCommands.service(node: node.pid, pidFile: Self.pidFile, words),
            log: daemonLog(of: host))
    }

    package func daemonLog(of host: String) -> String {
        self.host(host).directory + "/daemon.log"
    }

    package func waitUntilReady(_ host: String) async throws {
        try await eventually(
            "the daemon of host \(host) answers", within: 30, log: daemonLog(of: host)
        ) {
            let socket = self.host(host).path(Self.socket)
            guard FileManager.default.fileExists(atPath: socket) else { return false }
            return try await godwit(host, ["list"]).status.isSuccess
        }
    }

    /// The daemon's pid as the host counts; nil when none runs.
    package func daemonPid(on host: String) -> Int32? {
        let node = self.host(host)
        guard let pid = readPid(node.path(Self.pidFile)),
            startTime(of: pid, proc: node.path("/proc")) != nil
        else { return nil }
        return pid
    }

    /// Asks the daemon to end (SIGTERM), or ends it at once (SIGKILL), and waits until it has.
    package func stopDaemon(on host: String, signal: Int32 = SIGTERM) async throws {
        guard let pid = daemonPid(on: host) else { return }
        try await self.host(host).check(["sh", "-c", "kill -\(signal) \(pid)"])
        try await eventually("the daemon of host \(host) has ended", log: daemonLog(of: host)) {
            daemonPid(on: host) == nil
        }
    }

    /// Runs the command line on a host and returns what it said, whatever its status.
    package func godwit(
        _ host: String, _ arguments: [String], seconds: Int = 120
    ) async throws -> ToolResult {
        try await self.host(host).run([settings.godwit] + arguments, seconds: seconds)
    }

    /// Runs the command line on a host and returns its standard output.
    ///
    /// - Throws: `toolFailed` with the error that it printed, unless the status is 0.
    @discardableResult
    package func check(
        _ host: String, _ arguments: [String], seconds: Int = 120
    ) async throws -> String {
        try await self.host(host).check([settings.godwit] + arguments, seconds: seconds)
    }
}
