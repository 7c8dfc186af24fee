import Foundation
import LinuxHost
import TestSupport
import Testing

/// Jobs in virtual machines, on a kernel that this machine does not have (docs/vm-lab.md).
@Suite(.serialized, .timeLimit(.minutes(15)), .enabled(if: hasQEMU, "QEMU is not installed"))
struct HostVirtualMachineTests {
    @Test func `soft-dirty misses no page on kernel 6.1`() async throws {
        try await run("trackers")
        let stream = try String(
            contentsOfFile: ".results/vmlab/trackers/a/trackers.jsonl", encoding: .utf8)
        var summary = TestSummary()
        summary.add(stream: stream, named: "trackers")
        #expect(summary.failed == [] && summary.skipped == [])
        #expect(summary.passed.count >= 10)
        #expect(stream.contains("softDirty"))
    }

    @Test func `an instance moves between machines with kernel 6.1 and back`() async throws {
        try await run("move")
    }

    private func run(_ job: String) async throws {
        let result = try await Command("scripts/vmlab", [job]).run()
        #expect(result.status.isSuccess, "\(result.text)\(result.errorText)")
    }
}

private let hasQEMU = FileManager.default.isExecutableFile(atPath: "/usr/bin/qemu-system-x86_64")
