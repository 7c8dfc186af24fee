import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// One redis server, its snapshots on a host, the ways back, and the same on the other host.
struct StatesRun {
    let lab: Lab
    let root: String
    let mebibytes: Int
    private let address = Lab.address(10)

    init(lab: Lab, root: String, mebibytes: Int) {
        self.lab = lab
        self.root = root
        self.mebibytes = mebibytes
    }

    func run(times: Int) async throws -> StatesReport {
        try await launch()
        var report = StatesReport(mebibytes: mebibytes)
        let content = try await sum(on: "a")
        for number in 0..<times {
            report.snapshots.append(try await snapshot(number))
        }
        for number in 0..<times {
            report.restores.append(try await restore(number, on: "a", content))
        }
        let start = ContinuousClock.now
        let moved = try await lab.move("redis", from: "a", to: "b")
        report.move = milliseconds(since: start)
        report.moveBytes = moved.bytes["snapshots"] ?? 0
        for number in 0..<times {
            report.restores.append(try await restore(number, on: "b", content))
        }
        try await lab.check("b", ["delete", "redis", "--force"])
        return report
    }

    private func launch() async throws {
        let options = ["--address", "\(address)/24", "--bridge", Lab.bridge, "--"]
        let redis = ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]
        try await lab.check(
            "a", ["launch", root, "redis"] + options + redis + ["--dir", "/tmp"])
        try await eventually("redis answers") { try await answers(on: "a") }
        let fill = """
            i=0; while [ $i -lt \(mebibytes) ]; do
            head -c 1048576 /dev/urandom | redis-cli -x set key$i >/dev/null; i=$((i+1)); done
            """
        try await lab.check("a", ["exec", "redis", "--", "sh", "-ec", fill])
    }

    private func answers(on host: String) async throws -> Bool {
        let words = ["exec", "redis", "--", "redis-cli", "ping"]
        return try await lab.godwit(host, words).text.contains("PONG")
    }

    /// One digest of all that it holds, but for what clients count in.
    private func sum(on host: String) async throws -> String {
        let script = """
            local sum = ''; for i = 0, \(mebibytes - 1) do \
            sum = redis.sha1hex(sum .. redis.call('get', 'key' .. i)) end; return sum
            """
        return try await lab.check(
            host, ["exec", "redis", "--", "redis-cli", "eval", script, "0"])
    }

    private func snapshot(_ number: Int) async throws -> StatesReport.Snapshot {
        let counting = try await Counting(client: lab.client, address: address)
        let start = ContinuousClock.now
        try await lab.check("a", ["snapshot", "redis", "s\(number)", "--stateful"])
        let total = milliseconds(since: start)
        let seen = try await counting.finish()
        let text = try await lab.check("a", ["info", "redis", "--format", "json"])
        let view = try JSONDecoder().decode(InstanceView.self, from: Data(text.utf8))
        let made = view.snapshots.last
        return StatesReport.Snapshot(
            total: total, pause: made?.pauseMilliseconds ?? 0,
            blackout: seen.longestGapMilliseconds, bytes: made?.stateBytes?.bytes ?? 0,
            lost: seen.repliesLost + (seen.connectionAlive ? 0 : 1))
    }

    private func restore(
        _ number: Int, on host: String, _ content: String
    ) async throws -> StatesReport.Restore {
        try await lab.check(host, ["exec", "redis", "--", "redis-cli", "flushall"])
        let start = ContinuousClock.now
        try await lab.check(host, ["restore", "redis", "s\(number)"])
        let total = milliseconds(since: start)
        try await eventually("redis answers") { try await answers(on: host) }
        let answered = milliseconds(since: start)
        return StatesReport.Restore(
            host: host, total: total, answered: answered,
            isSame: try await sum(on: host) == content)
    }

    private func milliseconds(since start: ContinuousClock.Instant) -> Double {
        (ContinuousClock.now - start) / .milliseconds(1)
    }
}
