import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Programs that are held for a moment, by the process that started them and waits for their end.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct HostHoldTests {
    @Test(arguments: ["spin", "sleep", "read", "poll", "futex", "threads", "signals", "leaderless"])
    func `a held program stands, and goes on as if nothing had been`(mode: String) async throws {
        try await Workload.run(mode) { workload in
            for _ in 0..<20 {
                let (ticks, stopped) = try await blocking {
                    try HeldProcess.stop(workload.pid, patience: .seconds(1)) {
                        let before = workload.report.ticks
                        let end = ContinuousClock.now + .milliseconds(2)
                        while ContinuousClock.now < end {}
                        return (before, workload.report.ticks)
                    }
                }
                #expect(ticks.0 == ticks.1)
                #expect(stopped >= .milliseconds(2) && stopped < .seconds(1))
                try await workload.goOn(1)
            }
            try await workload.isFree()
            #expect(workload.report.wrong == 0)
        }
    }

    @Test func `what the body throws is passed on, and the program goes on`() async throws {
        try await Workload.run("spin") { workload in
            await #expect(throws: GodwitError.self) {
                try await blocking {
                    try HeldProcess.stop(workload.pid) { throw GodwitError(.busy, "no") }
                }
            }
            try await workload.goOn()
        }
    }

    @Test func `a process that is not there cannot be held`() {
        #expect(throws: GodwitError.self) {
            try HeldProcess.stop(1 << 22) { Issue.record("nothing is held") }
        }
    }
}
