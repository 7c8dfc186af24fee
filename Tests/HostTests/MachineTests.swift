import LinuxHost
import TestSupport
import Testing

/// Jobs of the VM lab, in machines with kernels of their own (docs/vm-lab.md). They leave what was
/// said in `.results/vmlab`.
@Suite(
    .enabled(if: Machines.canStart, "x86-64, root, and QEMU (scripts/setup machines)"),
    .timeLimit(.minutes(20)))
struct HostMachineTests {
    @Test func `an instance moves between two kernels with its memory, limits, groups and clocks`()
        async throws
    {
        try await expectGood("move")
    }

    @Test func `pools of thin volumes keep what they must`() async throws {
        try await expectGood("lvm")
    }

    private func expectGood(_ job: String) async throws {
        let result = try await Machines.run(job)
        #expect(result.status.isSuccess, "\(result.text.suffix(4_000))\(result.errorText)")
        #expect(result.text.contains("\(job): good"))
    }
}
