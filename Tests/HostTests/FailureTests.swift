import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// What goes wrong on the way leaves exactly one copy running and the target clean, and the same
/// move then succeeds.
@Suite(.timeLimit(.minutes(8))) struct HostFailureTests {
    /// With memory that takes seconds to send, where a move is to be met then.
    private func launch(_ moving: MoveLab, for stage: MoveStage) async throws {
        // A file in memory travels while the container is frozen, for a second and a half.
        let memory: String? =
            switch stage {
            case .sendingMemory: "kept = os.urandom(150 << 20)\n"
            case .frozen: "os.write(os.memfd_create('kept'), os.urandom(40 << 20))\n"
            default: nil
            }
        guard let memory else { return try await moving.launch() }
        let program = "import os\n" + memory + MoveLab.counting
        try await moving.launch([], ["python3", "-c", program])
    }

    /// The container runs at the source and has lost nothing, the target has nothing of it, and
    /// the next move brings it there.
    private func expectUnharmed(
        _ moving: MoveLab, _ before: Int, since clean: LabInventory
    ) async throws {
        let lines = try await moving.whole(on: "a", after: before)
        let report = try #require(try await moving.report("a"))
        #expect(report.status == .failed || report.status == .cancelled)
        if let thaw = report.downtime["thaw"] { #expect(thaw < 1_000) }
        let left = try await moving.leftOnTarget(since: clean)
        #expect(left == [])
        try await expectNoTools(moving)
        try await expectMove(moving, after: lines.count)
    }

    /// What was started ahead, on either host, has ended.
    private func expectNoTools(_ moving: MoveLab) async throws {
        var left: [String] = []
        try? await eventually("runc and CRIU have ended", within: 10) {
            left = ["a", "b"].flatMap { host in
                tools(on: host, of: moving.lab).map { "\(host): \($0)" }
            }
            return left.isEmpty
        }
        #expect(left == [])
    }

    /// CRIU, by itself or by its loader (scripts/setup), and runc.
    private func tools(on host: String, of lab: Lab) -> [String] {
        lab.inventory(of: host).things.filter { line in
            ["runc --root", "criu swrk", "criu-root/"].contains { line.contains($0) }
        }
    }

    private func expectMove(_ moving: MoveLab, after count: Int) async throws {
        var result = try await moving.move()
        // Its name is what a target gives back last.
        for _ in 0..<20 where result.errorText.contains("has an instance web already") {
            try await Task.sleep(for: .milliseconds(100))
            result = try await moving.move()
        }
        #expect(result.status.isSuccess, "\(result.errorText)")
        try await moving.whole(on: "b", after: count)
    }

    @Test(arguments: [MoveStage.preparing, .sendingVolume, .sendingMemory, .frozen])
    func `a cut link leaves the container running at the source`(stage: MoveStage) async throws {
        try await MoveLab.with { moving in
            try await launch(moving, for: stage)
            let clean = moving.lab.inventory(of: "b")
            let before = try await moving.lines("a").count
            let node = moving.lab.host("b")
            let result = try await moving.move(meeting: stage) {
                try await moving.lab.setLink(of: node, up: false)
            }
            #expect(!result.status.isSuccess)
            try await moving.whole(on: "a", after: before)
            try await moving.lab.setLink(of: node, up: true)
            try await expectUnharmed(moving, before, since: clean)
        }
    }

    @Test(arguments: [MoveStage.preparing, .sendingVolume, .sendingMemory, .frozen])
    func `a cancelled move leaves the container running at the source`(stage: MoveStage)
        async throws
    {
        try await MoveLab.with { moving in
            try await launch(moving, for: stage)
            let clean = moving.lab.inventory(of: "b")
            let before = try await moving.lines("a").count
            let result = try await moving.move(meeting: stage) {
                try await moving.interruptMove()
            }
            #expect(!result.status.isSuccess)
            #expect(result.errorText.contains("cancel"), "\(result.errorText)")
            try await expectUnharmed(moving, before, since: clean)
        }
    }

    @Test func `a cancel while custody changes hands comes too late and harms nothing`()
        async throws
    {
        try await MoveLab.with { moving in
            try await moving.launch()
            let before = try await moving.lines("a").count
            let result = try await moving.move(meeting: .handingOver) {
                // It may be over by now.
                try? await moving.interruptMove()
            }
            #expect(result.status.isSuccess, "\(result.errorText)")
            try await moving.whole(on: "b", after: before)
            #expect(try await !moving.runs(on: "a"))
        }
    }

    @Test func `a link cut while custody changes hands leaves one copy once it is back`()
        async throws
    {
        try await MoveLab.with { moving in
            try await moving.launch()
            let before = try await moving.lines("a").count
            let node = moving.lab.host("b")
            async let cut = moving.move(meeting: .handingOver) {
                try await moving.lab.setLink(of: node, up: false)
                try await Task.sleep(for: .seconds(2))
                try await moving.lab.setLink(of: node, up: true)
            }
            _ = try await cut
            var homes: [String] = []
            try await eventually("both hosts agree", within: 30) {
                homes = []
                for host in ["a", "b"] where try await moving.runs(on: host) { homes += [host] }
                let report = try await moving.report("a")
                return homes.count == 1 && report?.ended != nil
            }
            try await moving.whole(on: homes[0], after: before)
        }
    }

    /// The target's control group admits one task, the instance has two: CRIU cannot fork the
    /// second while it restores.
    @Test func `a restore that fails gives custody back`() async throws {
        try await MoveLab.with { moving in
            let script = "sleep 100000 & exec python3 -c \"$0\""
            try await moving.launch([], ["sh", "-c", script, MoveLab.counting])
            let clean = moving.lab.inventory(of: "b")
            let before = try await moving.lines("a").count
            try moving.limitTasks("1")
            let result = try await moving.move()
            #expect(result.status == .exited(71))
            #expect(result.errorText.contains("restore"), "\(result.errorText)")
            #expect(result.errorText.contains("→"), "\(result.errorText)")
            try moving.limitTasks("max")
            try await expectUnharmed(moving, before, since: clean)
        }
    }

    @Test
    func `a target daemon that is killed leaves the container running, and the next move works`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.launch()
            let before = try await moving.lines("a").count
            let result = try await moving.move(meeting: .frozen) {
                try await lab.stopDaemon(on: "b", signal: SIGKILL)
            }
            #expect(!result.status.isSuccess)
            let now = try await moving.whole(on: "a", after: before).count
            try await lab.startDaemon(on: "b")
            // Until the target has removed what it had, it refuses the name.
            try await eventually("the next move succeeds", log: lab.daemonLog(of: "b")) {
                try await moving.move().status.isSuccess
            }
            try await moving.whole(on: "b", after: now)
        }
    }

    /// In this stage dump and restore have been started and wait.
    @Test func `what was started ahead ends with the daemons that started it`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await launch(moving, for: .sendingMemory)
            let clean = lab.inventory(of: "b")
            let before = try await moving.lines("a").count
            _ = try await moving.move(meeting: .sendingMemory) {
                try await eventually("the tools have been started", within: 5) {
                    ["a", "b"].allSatisfy { tools(on: $0, of: lab).count == 2 }
                }
                for host in ["a", "b"] { try await lab.stopDaemon(on: host, signal: SIGKILL) }
                try await expectNoTools(moving)
            }
            for host in ["a", "b"] { try await lab.startDaemon(on: host) }
            let now = try await moving.whole(on: "a", after: before).count
            #expect(try await moving.leftOnTarget(since: clean) == [])
            try await expectMove(moving, after: now)
        }
    }
}
