import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Instances whose files both hosts see, with the real daemon.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(4)))
struct HostSharedMoveTests {
    private func withPools(_ body: (MoveLab, String) async throws -> Void) async throws {
        try await MoveLab.with { moving in
            let ground = moving.lab.directory + "/ground"
            for host in ["a", "b"] {
                try await moving.lab.check(
                    host, ["pool", "create", "both", "shared", "source=\(ground)"])
            }
            try await body(moving, ground)
        }
    }

    private func launchRecords(in lab: Lab) async throws {
        let root = lab.directory + "/records"
        try await RecordProgram.makeRoot(at: root)
        try await lab.check(
            "a", ["launch", root, "web", "--pool", "both", "--", RecordProgram.path])
    }

    private func volumes(_ ground: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: ground + "/volumes").sorted()
    }

    @Test func `a container that writes moves without its files, there and back`() async throws {
        try await withPools { moving, ground in
            let lab = moving.lab
            try await launchRecords(in: lab)
            var records = 0
            for (source, target) in [("a", "b"), ("b", "a")] {
                let plan = try await lab.check(
                    source, ["move", "web", "host-\(target):", "--dry-run"])
                #expect(plan.contains("leave volume web where both hosts see it"))
                let moved = try await lab.move("web", from: source, to: target)
                let after = try await RecordProgram.verify("web", on: target, of: lab)
                #expect(after.isWhole && after.records > records, "\(after)")
                records = after.records
                figure("\(source) to \(target): \(after.records) records, \(moved.downtime)")
                #expect(moved.bytes["volume"] == nil && moved.bytes["delta"] == nil)
                #expect(try volumes(ground) == ["web"])
            }
            for (host, option) in [("a", "--keep-definition"), ("a", "--rename=other")] {
                let refused = try await lab.godwit(host, ["move", "web", "host-b:", option])
                #expect(refused.errorText.contains("that both hosts share cannot"))
            }
            try await lab.check("a", ["delete", "web", "--force"])
            #expect(try volumes(ground) == [])
            for host in ["a", "b"] { try await lab.check(host, ["pool", "delete", "both"]) }
        }
    }

    @Test func `files stay whole, and with whoever runs, whatever fails`() async throws {
        try await withPools { moving, ground in
            let lab = moving.lab
            // Two tasks, and memory that takes some time on its way.
            let memory = "import os; block = os.urandom(96 << 20)\n" + MoveLab.counting
            let script = "sleep 100000 & exec python3 -c \"$0\""
            try await moving.launch(["--pool", "both"], ["sh", "-c", script, memory])
            for stage in [MoveStage.preparing, .sendingMemory] {
                let result = try await moving.move(meeting: stage) {
                    try await moving.interruptMove()
                }
                #expect(!result.status.isSuccess, "\(stage)")
                try await expectWhole(on: "a", moving, ground)
            }
            // A restore that fails has had custody.
            try moving.limitTasks("1")
            #expect(try await !moving.move().status.isSuccess)
            try await expectWhole(on: "a", moving, ground)
            try moving.limitTasks("max")
            // A target that dies before it has custody, and one that dies with it.
            for stage in [MoveStage.sendingMemory, .handingOver] {
                guard try await moving.runs(on: "a") else { continue }
                _ = try await moving.move(meeting: stage) {
                    try await lab.stopDaemon(on: "b", signal: SIGKILL)
                    try await lab.startDaemon(on: "b")
                }
                try await eventually("the move is over", within: 40, log: lab.daemonLog(of: "a")) {
                    try await moving.report("a")?.ended != nil
                }
                let here = try await moving.runs(on: "a")
                #expect(try await moving.runs(on: "b") != here)
                try await expectWhole(on: here ? "a" : "b", moving, ground)
            }
        }
    }

    /// Each line follows from the one before it, more come, and there is one tree.
    private func expectWhole(
        on host: String, _ moving: MoveLab, _ ground: String
    ) async throws {
        try await moving.whole(on: host, after: moving.lines(host).count)
        #expect(try volumes(ground) == ["web"])
    }

    @Test func `two directories are not taken for one`() async throws {
        try await withPools { moving, ground in
            let lab = moving.lab
            try await lab.check("b", ["pool", "delete", "both"])
            let other = lab.directory + "/other"
            try await lab.check("b", ["pool", "create", "both", "shared", "source=\(other)"])
            try await moving.launch(["--pool", "both"])
            let refused = try await lab.godwit("a", ["move", "web", "host-b:"])
            #expect(refused.status == .exited(2))
            #expect(refused.errorText.contains("the pool both of the target is not the source's"))
            try await expectWhole(on: "a", moving, ground)
            #expect(try volumes(other) == [])
        }
    }
}
