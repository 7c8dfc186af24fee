import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Snapshots of a container that writes all the time, with the real daemon.
@Suite(.timeLimit(.minutes(4))) struct HostSnapshotTests {
    private func snapshots(_ moving: MoveLab) async throws -> [String] {
        let text = try await moving.lab.check("a", ["info", "web", "--format", "json"])
        let view = try JSONDecoder().decode(InstanceView.self, from: Data(text.utf8))
        return view.snapshots.map(\.name.text)
    }

    private func run(_ script: String, _ moving: MoveLab) async throws -> String {
        try await moving.lab.check("a", ["exec", "web", "--", "sh", "-ec", script])
    }

    @Test func `what was written comes back exactly as it was`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            let program = "import os\nos.path.exists('/kept') or open('/kept', 'w').write('old')\n"
            try await moving.launch([], ["python3", "-c", program + MoveLab.counting])
            let said = try await lab.check("a", ["snapshot", "web", "--expires", "1h"])
            #expect(said.contains("web/snap0 is made; it stood still for"))
            let then = try await moving.lines("a").count
            try await moving.whole(on: "a", after: then)
            _ = try await run("echo new > /kept; mkdir /more; chmod 600 /etc/passwd", moving)
            try await lab.check("a", ["snapshot", "web", "later"])
            #expect(try await snapshots(moving) == ["snap0", "later"])
            let info = try await lab.check("a", ["info", "web"])
            #expect(info.contains("snap0 (taken at ") && info.contains("(stateless) (expires at "))

            // It runs anew afterwards, on the files of then.
            try await lab.check("a", ["restore", "web", "snap0"])
            #expect(try await moving.runs(on: "a"))
            let facts = try await run("cat /kept; ls -d /more || stat -c %a /etc/passwd", moving)
            #expect(facts == "old644\n")
            try await lab.check("a", ["restore", "web", "later"])
            #expect(try await run("cat /kept; stat -c %a /etc/passwd", moving) == "new\n600\n")

            try await lab.check("a", ["delete", "web/later"])
            #expect(try await snapshots(moving) == ["snap0"])
            let missing = try await lab.godwit("a", ["restore", "web", "later"])
            #expect(missing.status == .exited(66))
        }
    }

    @Test func `a snapshot while it runs has every line up to its moment`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.launch()
            for name in ["one", "two"] { try await lab.check("a", ["snapshot", "web", name]) }
            try await moving.whole(on: "a", after: moving.lines("a").count)
            try await lab.check("a", ["copy", "web/two", "trial"])
            try await lab.check("a", ["copy", "web", "now"])
            let host = lab.host("a")
            let volumes = "/var/lib/godwit/pools/default/volumes"
            var counts: [Int] = []
            for tree in ["web/snapshots/one", "web/snapshots/two", "trial", "now"] {
                let text = try await host.check(["cat", "\(volumes)/\(tree)/rootfs/lines"])
                let numbers = text.split(separator: "\n").map {
                    $0.split(separator: " ").first.flatMap { Int($0) } ?? 0
                }
                #expect(text.hasSuffix("\n"), "the last line of \(tree) is torn")
                #expect(numbers == Array(1...max(1, numbers.count)), "\(tree)")
                counts.append(numbers.count)
            }
            #expect(counts[0] < counts[1] && counts[1] == counts[2] && counts[2] < counts[3])
            let list = try await lab.check("a", ["list"])
            #expect(list.contains("trial") && list.contains("now"))
            #expect(try await snapshots(moving) == ["one", "two"])
            try await lab.check("a", ["start", "trial"])
            try await lab.check("a", ["delete", "trial", "--force"])
            try await moving.whole(on: "a", after: counts[3])
        }
    }

    @Test func `snapshots go along to the other host, and what has expired is gone`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.launch()
            _ = try await run("echo old > /kept", moving)
            try await lab.check("a", ["snapshot", "web"])
            _ = try await run("echo new > /kept", moving)
            try await lab.check("a", ["snapshot", "web"])
            try await lab.check("a", ["snapshot", "web", "short", "--expires", "1"])
            try await eventually("it has expired", within: 20) {
                try await snapshots(moving) == ["snap0", "snap1"]
            }
            let plan = try await lab.check("a", ["move", "web", "host-b:", "--dry-run"])
            #expect(plan.contains("send the snapshots of volume web"))
            let before = try await moving.lines("a").count
            let report = try await lab.move("web", from: "a", to: "b")
            #expect((report.bytes["snapshots"] ?? 0) > 0)
            try await moving.whole(on: "b", after: before)
            let volumes = ["ls", "/var/lib/godwit/pools/default/volumes"]
            #expect(try await lab.host("a").check(volumes) == "")
            for (name, content) in [("snap0", "old\n"), ("snap1", "new\n")] {
                try await lab.check("b", ["restore", "web", name])
                let kept = try await lab.check("b", ["exec", "web", "--", "cat", "/kept"])
                #expect(kept == content)
            }
            try await eventually("it counts") { try await moving.lines("b").count > 2 }
            _ = try await lab.move("web", from: "b", to: "a", ["--without-snapshots"])
            #expect(try await snapshots(moving) == [])
            #expect(try await lab.host("b").check(volumes) == "")
        }
    }

    /// The count is in memory, the lines are in a file.
    @Test func `processes go on from a stateful snapshot on the other host`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.launch()
            try await lab.check("a", ["snapshot", "web", "--stateful"])
            try await moving.whole(on: "a", after: moving.lines("a").count + 50)
            _ = try await lab.move("web", from: "a", to: "b")
            let before = try await moving.lines("b").count
            try await lab.check("b", ["restore", "web", "snap0"])
            let after = try await moving.lines("b").count
            #expect(after < before)
            try await moving.whole(on: "b", after: after)
        }
    }

    @Test func `a daemon that is killed while it copies leaves nothing half done`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.launch()
            _ = try await run("head -c 200M /dev/urandom > /big", moving)
            let making = "/var/lib/godwit/pools/default/volumes/web/snapshots/.making-snap0"
            try await lab.host("a").check([
                "sh", "-c",
                "\(lab.settings.godwit) snapshot web >/dev/null 2>&1 </dev/null & "
                    + "i=0; until [ -e \(making) ] || [ $i = 500 ]; "
                    + "do sleep 0.02; i=$((i+1)); done; "
                    + "[ -e \(making) ]",
            ])
            try await lab.stopDaemon(on: "a", signal: SIGKILL)
            let half = try await lab.host("a").run(["test", "-e", making])
            #expect(half.status.isSuccess, "the test proves nothing")
            try await lab.startDaemon(on: "a")
            try await eventually("half of it is gone", log: lab.daemonLog(of: "a")) {
                try await !lab.host("a").run(["test", "-e", making]).status.isSuccess
            }
            #expect(try await snapshots(moving) == [])
            try await moving.whole(on: "a", after: moving.lines("a").count)
            try await lab.check("a", ["snapshot", "web"])
            #expect(try await snapshots(moving) == ["snap0"])
        }
    }
}
