import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// The counting client against a real redis-server, which stays where it is.
@Suite(.timeLimit(.minutes(2))) struct HostClientTests {
    private func withRedis(_ body: (Lab) async throws -> Void) async throws {
        let tree = try await RootFilesystem.services.path()
        try await Lab.with { lab in
            let redis = ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"]
            try lab.startService(
                on: "a", ["chroot", tree] + redis + ["--save", "", "--dir", "/tmp"])
            let ping = ["chroot", tree, "redis-cli", "ping"]
            try await eventually("redis answers", log: lab.daemonLog(of: "a")) {
                try await lab.host("a").run(ping).text.contains("PONG")
            }
            try await body(lab)
        }
    }

    @Test func `a cut link is a pause, not a loss`() async throws {
        try await withRedis { lab in
            let counting = try await Counting(client: lab.client, address: "10.77.0.1")
            try await lab.setLink(of: lab.client, up: false)
            try await Task.sleep(for: .milliseconds(250))
            try await lab.setLink(of: lab.client, up: true)
            // The kernel sends again what the cut swallowed; only then is the pause over.
            try await Task.sleep(for: .milliseconds(1000))
            let seen = try await counting.finish()
            #expect(seen.connectionAlive && seen.repliesLost == 0 && seen.error == nil)
            #expect(seen.replies > 0 && seen.longestGapMilliseconds >= 200)
        }
    }

    @Test func `a server that dies breaks the connection`() async throws {
        try await withRedis { lab in
            let counting = try await Counting(client: lab.client, address: "10.77.0.1")
            try await lab.stopDaemon(on: "a", signal: SIGKILL)
            await counting.waitForBreak()
            let seen = try await counting.finish()
            #expect(!seen.connectionAlive && seen.error != nil)
        }
    }

    @Test func `a client without a server says so`() async throws {
        try await Lab.with(hosts: ["a"]) { lab in
            _ = await #expect(throws: GodwitError(.linkLost, "")) {
                _ = try await Counting(client: lab.client, address: "10.77.0.1")
            }
        }
    }
}
