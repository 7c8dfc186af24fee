import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// An instance that writes faster than its memory travels, and what is done about it while it runs.
@Suite(.timeLimit(.minutes(5))) struct HostThrottleTests {
    /// Numbers lines like `MoveLab.counting`, and writes pages of 24 MiB as fast as it can: some
    /// thousand a second, each of which costs it processor time.
    private static let program = """
        import os, random, threading, time
        size, count = 4096, 6144
        memory = bytearray(os.urandom(size * count))
        def write():
            while True:
                n = random.randrange(count)
                memory[n * size:n * size + 8] = os.urandom(8)
                sum(range(4000))
        threading.Thread(target=write, daemon=True).start()
        """ + "\n" + MoveLab.counting

    private func launch(_ moving: MoveLab) async throws -> Int {
        try await moving.launch([], ["python3", "-c", Self.program])
        return try await moving.lines("a").count
    }

    private func limit(_ moving: MoveLab, on host: String) throws -> ProcessorLimit {
        try Cgroup(path: "/\(moving.lab.cgroupParent(of: host))/web").processorLimit()
    }

    /// Starts a move, does `harm` once the instance is slowed down, and
    /// returns how the command line ended.
    private func move(
        _ moving: MoveLab, _ harm: () async throws -> Void
    ) async throws -> ToolResult {
        let options = [
            "--throttle", "--compression", "never", "--bandwidth", "12MiB",
            "--downtime-budget", "1",
        ]
        async let result = moving.move(options)
        try await eventually(
            "it is slowed down", within: 90, log: moving.lab.daemonLog(of: "a")
        ) {
            try limit(moving, on: "a").quota != nil
        }
        try await harm()
        return try await result
    }

    @Test func `an instance that writes too fast is slowed down until it has moved`() async throws {
        try await MoveLab.with { moving in
            let before = try await launch(moving)
            let result = try await moving.move([
                "--throttle", "--compression", "never", "--bandwidth", "12MiB",
            ])
            #expect(result.status.isSuccess, "\(result.errorText)")
            let memory = try #require(try await moving.report("a")?.memory)
            #expect(memory.processorShare.map { $0 <= 0.5 } == true, "\(memory)")
            #expect(result.text.contains("% of its processor time"), "\(result.text)")
            let limit = try limit(moving, on: "b")
            #expect(limit.quota == nil)
            try await moving.whole(on: "b", after: before)
        }
    }

    /// Starts what writes some 5 MB of records a second, and moves it over a link for 3 MiB.
    private func moveWriter(
        _ moving: MoveLab, _ options: [String]
    ) async throws -> ToolResult {
        try await withRoot { root in
            try await RecordProgram.makeRoot(at: root)
            try await Command(
                "bash", ["-c", "head -c 6M /dev/urandom >$1/beside", "bash", root]
            ).check()
        } _: { root in
            // So that no pass is longer than some seconds on a machine of any speed.
            let words = [RecordProgram.path, "300", "4"]
            try await moving.lab.check("a", ["launch", root, "web", "--"] + words)
        }
        return try await moving.move(options + ["--bandwidth", "3MiB"])
    }

    @Test func `an instance that writes files too fast is slowed down, too`() async throws {
        try await MoveLab.with { moving in
            let result = try await moveWriter(moving, ["--throttle"])
            #expect(result.status.isSuccess, "\(result.errorText)")
            let report = try #require(try await moving.report("a"))
            let share = try #require(report.memory?.processorShare)
            #expect(share <= 0.5 && share >= 0.01)
            let longest = report.passes?.map(\.bytes).max() ?? 0
            #expect(report.bytes["delta"] ?? 0 < longest / 2, "\(result.text)")
            #expect(try limit(moving, on: "b").quota == nil)
            #expect(try await RecordProgram.verify("web", on: "b", of: moving.lab).isWhole)
        }
    }

    @Test func `or it stays where it is`() async throws {
        try await MoveLab.with { moving in
            let result = try await moveWriter(moving, ["--at-deadline", "abort"])
            #expect(!result.status.isSuccess)
            #expect(result.errorText.contains("what has changed in files"), "\(result.errorText)")
            #expect(try await moving.report("a")?.error?.code == .timedOut)
            #expect(try await RecordProgram.verify("web", on: "a", of: moving.lab).isWhole)
        }
    }

    @Test func `a cancelled move gives back what it had`() async throws {
        try await MoveLab.with { moving in
            let before = try await launch(moving)
            let result = try await move(moving) { try await moving.interruptMove() }
            #expect(!result.status.isSuccess)
            let limit = try limit(moving, on: "a")
            #expect(limit.quota == nil)
            try await moving.whole(on: "a", after: before)
        }
    }

    @Test func `a daemon that comes back gives back what its predecessor took`() async throws {
        try await MoveLab.with { moving in
            let before = try await launch(moving)
            let lab = moving.lab
            let result = try await move(moving) {
                try await lab.stopDaemon(on: "a", signal: SIGKILL)
                try await lab.startDaemon(on: "a")
            }
            #expect(!result.status.isSuccess)
            try await eventually("it has all of its time", within: 20) {
                try limit(moving, on: "a").quota == nil
            }
            try await moving.whole(on: "a", after: before)
        }
    }

    @Test func `a bandwidth is changed while the move runs`() async throws {
        try await MoveLab.with { moving in
            let before = try await launch(moving)
            // Some megabytes would take half an hour.
            async let result = moving.move(["--bandwidth", "8KiB"])
            try await eventually("it sends", within: 30) {
                try await moving.report("a")?.phase == .perform
            }
            let id = try #require(try await moving.report("a")?.id)
            let other = try await moving.lab.godwit(
                "b", ["migration", "set", id.text, "--bandwidth", "1GiB"])
            #expect(other.errorText.contains("set it on the host from which"), "\(other)")
            let words = ["migration", "set", id.text, "--bandwidth", "unlimited"]
            try await moving.lab.check("a", words)
            let ended = try await result
            #expect(ended.status.isSuccess, "\(ended.errorText)")
            let late = try await moving.lab.godwit("a", words)
            #expect(late.errorText.contains("is over"), "\(late.errorText)")
            try await moving.whole(on: "b", after: before)
        }
    }
}
