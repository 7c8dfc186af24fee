import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Memory that follows a container that runs on the target already, whatever happens meanwhile.
@Suite(.timeLimit(.minutes(5))) struct HostPostcopyTests {
    /// Numbers lines like `MoveLab.counting`, and looks at memory of 64 MiB as it goes: a page that
    /// is not as it was left ends the numbering. Where there is a file `/look` it looks at all of
    /// it in each step: earlier that would stand still until all has come.
    private static let program = """
        import itertools, os, random, time
        size, count = 4096, 16384
        versions = [0] * count
        content = lambda n: random.Random(n * 1000003 + versions[n]).randbytes(size)
        memory = bytearray(b''.join(content(n) for n in range(count)))
        lines = open('/lines', 'w', buffering=1)
        for step in itertools.count(1):
            for n in random.sample(range(count), 16):
                if memory[n * size:(n + 1) * size] != content(n): lines.write('wrong\\n')
                versions[n] += 1
                memory[n * size:(n + 1) * size] = content(n)
            for n in range(count if os.path.exists('/look') else 0):
                if memory[n * size:(n + 1) * size] != content(n): lines.write('wrong\\n')
            lines.write(str(step) + ' ' + str(time.time()) + chr(10))
            time.sleep(0.02)
        """

    private static let root = "/var/lib/godwit/pools/default/volumes/web/rootfs"
    private static let lines = root + "/lines"

    /// Starts a move whose memory takes some seconds to follow, does `harm` while it does, and
    /// returns how the command line ended.
    private func move(
        _ moving: MoveLab, _ harm: () async throws -> Void
    ) async throws -> ToolResult {
        async let result = moving.move(["--postcopy", "--bandwidth", "12MiB"])
        try await eventually(
            "it runs on the target", within: 40, log: moving.lab.daemonLog(of: "a")
        ) {
            let report = try await moving.report("a")
            return report?.ended != nil || report?.downtimeMilliseconds != nil
        }
        let report = try #require(try await moving.report("a"))
        #expect(report.ended == nil, "the memory has not followed yet")
        try await harm()
        return try await result
    }

    private func launch(_ moving: MoveLab) async throws -> Int {
        try await moving.launch([], ["python3", "-c", Self.program])
        return try await moving.lines("a").count
    }

    private func expectMoved(_ moving: MoveLab, _ result: ToolResult, _ before: Int) async throws {
        #expect(result.status.isSuccess, "\(result.errorText)")
        let fetch = try #require(try await moving.report("a")?.memory?.fetch)
        #expect(fetch.owedPages >= 16_384)
        #expect(fetch.stalls > 0 && fetch.pagesByFault > 0)
        #expect(fetch.pagesByFault + fetch.pagesInBackground >= fetch.owedPages)
        try await expectWhole(moving, before)
    }

    /// It has lost neither a line nor a page.
    private func expectWhole(_ moving: MoveLab, _ before: Int) async throws {
        let look = moving.lab.host("b").path(Self.root + "/look")
        try Data().write(to: URL(filePath: look))
        let count = try await moving.lines("b").count
        #expect(count >= before)
        try await moving.whole(on: "b", after: count + 2)
        #expect(try await !moving.runs(on: "a"))
    }

    @Test func `a container runs before its memory has come`() async throws {
        try await MoveLab.with { moving in
            let before = try await launch(moving)
            let result = try await move(moving) {
                let file = moving.lab.host("b").path(Self.lines)
                let reached = try String(contentsOfFile: file, encoding: .utf8).count
                try await eventually("it counts on", within: 5) {
                    try String(contentsOfFile: file, encoding: .utf8).count > reached
                }
                // The original stays, and stands still.
                let list = try await moving.lab.check("a", ["list", "--format", "json"])
                #expect(list.contains("frozen"))
            }
            try await expectMoved(moving, result, before)
        }
    }

    @Test func `the link may break again and again`() async throws {
        try await MoveLab.with { moving in
            let before = try await launch(moving)
            let node = moving.lab.host("b")
            let result = try await move(moving) {
                // The longest is as long as a silent link is believed to live.
                for seconds in [0.5, 1, 2, 4, 10] {
                    try await moving.lab.setLink(of: node, up: false)
                    try await Task.sleep(for: .seconds(seconds))
                    try await moving.lab.setLink(of: node, up: true)
                    try await Task.sleep(for: .milliseconds(300))
                }
            }
            try await expectMoved(moving, result, before)
        }
    }

    @Test func `the target's daemon may die`() async throws {
        try await MoveLab.with { moving in
            let before = try await launch(moving)
            let lab = moving.lab
            let result = try await move(moving) {
                try await lab.stopDaemon(on: "b", signal: SIGKILL)
                try await lab.startDaemon(on: "b")
            }
            try await expectMoved(moving, result, before)
        }
    }

    @Test func `the source's daemon may die`() async throws {
        try await MoveLab.with { moving in
            let before = try await launch(moving)
            let lab = moving.lab
            let result = try await move(moving) {
                try await lab.stopDaemon(on: "a", signal: SIGKILL)
                try await lab.startDaemon(on: "a")
            }
            #expect(!result.status.isSuccess, "the command line hears no more of it")
            try await eventually("the migration is over", within: 30) {
                try await moving.report("a")?.ended != nil
            }
            let status = try await moving.report("a")?.status
            #expect(status == .succeeded)
            try await expectWhole(moving, before)
        }
    }

    /// What it has done on the target is lost with it, so that only a person takes it back.
    @Test func `a container that loses its memory for good is a person's to decide about`()
        async throws
    {
        try await MoveLab.with { moving in
            let before = try await launch(moving)
            let clean = moving.lab.inventory(of: "b")
            let result = try await move(moving) {
                let keeper = "kill -9 $(cat /run/godwit/instances/web/monitor)"
                try await moving.lab.host("b").check(["sh", "-c", keeper])
                try await eventually("a person is asked", within: 20) {
                    try await moving.report("a")?.status == .undecided
                }
                let runs = try await moving.runs(on: "a")
                #expect(!runs)
                try await moving.lab.check("a", ["resolve", "web", "--keep-here"])
            }
            #expect(!result.status.isSuccess)
            try await moving.whole(on: "a", after: before + 20)
            let left = try await moving.leftOnTarget(since: clean)
            #expect(left == [])
            let again = try await moving.move()
            #expect(again.status.isSuccess, "\(again.errorText)")
            try await moving.whole(on: "b", after: before + 20)
        }
    }
}
