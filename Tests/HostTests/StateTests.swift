import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Containers that stop with their processes' state, and go on from it.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(4)))
struct HostStateTests {
    /// Counting goes on with the next number: the count is in memory, the lines are in a file.
    @Test func `a stopped container goes on where it stood, after a reboot too`() async throws {
        try await MoveLab.with { moving in
            try await moving.launch()
            let before = try await moving.lines("a").count
            try await moving.lab.check("a", ["stop", "web", "--stateful"])
            let info = try await moving.lab.check("a", ["info", "web"])
            #expect(info.contains("stopped") && info.contains("Saved state"))
            #expect(try await !moving.runs(on: "a"))
            try await moving.lab.check("a", ["start", "web"])
            try await moving.whole(on: "a", after: before)

            try await moving.lab.check("a", ["stop", "web", "--stateful"])
            let lab = try await moving.lab.rebooted("a")
            let later = MoveLab(lab: lab)
            try await lab.startDaemon(on: "a")
            #expect(try await !later.runs(on: "a"))
            try await lab.check("a", ["start", "web"])
            let lines = try await later.lines("a").count
            try await later.whole(on: "a", after: lines)
            let states = lab.host("a").path("/var/lib/godwit/states")
            #expect(try FileManager.default.contentsOfDirectory(atPath: states).isEmpty)
        }
    }

    @Test func `a start that fails leaves the state, which can be discarded`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.launch()
            try await lab.check("a", ["stop", "web", "--stateful"])
            let refused = try await lab.godwit("a", ["move", "web", "host-b:", "--cold"])
            #expect(refused.status == .exited(2))
            try moving.limitTasks("1", on: "a")
            let failed = try await lab.godwit("a", ["start", "web"])
            try moving.limitTasks("max", on: "a")
            #expect(failed.errorText.contains("saved state, which is kept"))
            let lines = "/var/lib/godwit/pools/default/volumes/web/rootfs/lines"
            let count = try lineCount(lab.host("a").path(lines))
            try await lab.check("a", ["start", "web"])
            try await moving.whole(on: "a", after: count)

            try await lab.check("a", ["stop", "web", "--stateful"])
            let stood = try lineCount(lab.host("a").path(lines))
            try await lab.check("a", ["start", "web", "--stateless"])
            try await eventually("it counts anew") {
                let now = try lineCount(lab.host("a").path(lines))
                return now > 2 && now < stood
            }
        }
    }

    /// Whenever the daemon dies, either the container runs, or its state is kept, and it goes on.
    @Test func `a daemon killed while the state is saved loses nothing`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.launch()
            for milliseconds in [20, 120, 200, 280, 400] {
                async let stop = lab.godwit("a", ["stop", "web", "--stateful"])
                try await Task.sleep(for: .milliseconds(milliseconds))
                try await lab.stopDaemon(on: "a", signal: SIGKILL)
                _ = try await stop
                try await lab.startDaemon(on: "a")
                try await eventually("it runs or its state is kept") {
                    let info = try await lab.check("a", ["info", "web"])
                    return info.contains("running") != info.contains("Saved state")
                }
                if try await !moving.runs(on: "a") { try await lab.check("a", ["start", "web"]) }
                try await moving.whole(on: "a", after: moving.lines("a").count)
            }
        }
    }

    @Test func `a connection goes on if its other end still holds it`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            let root = try await RootFilesystem.services.path()
            let redis = ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"]
            let options = ["--address", "10.77.0.10/24", "--bridge", Lab.bridge, "--"]
            try await lab.check(
                "a", ["launch", root, "redis"] + options + redis + ["--save", "", "--dir", "/tmp"])
            try await eventually("redis answers") {
                try await lab.godwit("a", ["exec", "redis", "--", "redis-cli", "ping"])
                    .text.contains("PONG")
            }
            let counting = try await Counting(client: lab.client, address: "10.77.0.10")
            try await lab.check("a", ["stop", "redis", "--stateful"])
            try await lab.check("a", ["start", "redis"])
            // The client's kernel sends again after 0.2 s, and then waits twice as long each time.
            try await Task.sleep(for: .seconds(8))
            let seen = try await counting.finish()
            #expect(seen.connectionAlive && seen.repliesLost == 0 && seen.error == nil)
            #expect(seen.longestGapMilliseconds >= 200)
        }
    }

    /// The count is in memory, the lines are in a file: both are of the same moment.
    @Test func `a stateful snapshot has files and processes of one moment`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.launch()
            let said = try await lab.check("a", ["snapshot", "web", "--stateful"])
            #expect(said.contains("web/snap0 is made; it stood still for"))
            let then = try await moving.lines("a").count
            try await moving.whole(on: "a", after: then + 50)
            let info = try await lab.check("a", ["info", "web"])
            #expect(info.contains("(stateful, "))
            for _ in 0..<2 {
                let before = try await moving.lines("a").count
                try await lab.check("a", ["restore", "web", "snap0"])
                let after = try await moving.lines("a").count
                #expect(after < before && after >= then - 20)
                try await moving.whole(on: "a", after: after)
            }
            try await lab.check("a", ["stop", "web", "--force"])
            try await lab.check("a", ["restore", "web", "snap0", "--stateless"])
            #expect(try await !moving.runs(on: "a"))
            try await lab.check("a", ["delete", "web/snap0"])
            let states = lab.host("a").path("/var/lib/godwit/states")
            #expect(try FileManager.default.contentsOfDirectory(atPath: states).isEmpty)
        }
    }

    private func lineCount(_ file: String) throws -> Int {
        try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").count
    }
}
