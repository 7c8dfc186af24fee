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

    @Test func `device-mapper and LVM do what a driver of thin volumes needs`() async throws {
        try await expectGood("lvm")
    }

    @Test func `pools on LVM keep what a driver must`() async throws {
        let said = try await expectGood("pools")
        // On this machine these tests have no cases.
        let cases = said.firstMatch(of: /(\d+) cases/).flatMap { Int($0.1) } ?? 0
        #expect(cases >= 30, "\(cases) cases")
    }

    @discardableResult
    private func expectGood(_ job: String) async throws -> String {
        let result = try await Machines.run(job)
        #expect(result.status.isSuccess, "\(result.text.suffix(4_000))\(result.errorText)")
        #expect(result.text.contains("\(job): good"))
        return result.text
    }
}
