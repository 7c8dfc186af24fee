import Foundation
import LinuxHost
import MigrationCore
import Testing

@Suite struct CgroupTests {
    @Test func `controllers are found on a host with both versions`() {
        let mounts = CgroupMounts(
            mounts: """
                tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
                cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
                cgroup /sys/fs/cgroup/freezer cgroup rw,relatime,freezer 0 0
                cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
                """)
        #expect(mounts.version == 1)
        #expect(
            mounts.controllers == [
                "cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
                "freezer": "/sys/fs/cgroup/freezer",
            ])
        #expect(
            mounts.directories(of: "/a/b") == [
                "/sys/fs/cgroup/cpu,cpuacct/a/b", "/sys/fs/cgroup/freezer/a/b",
                "/sys/fs/cgroup/unified/a/b",
            ])
    }

    @Test func `a host with version 2 alone needs no freezer controller`() {
        let mounts = CgroupMounts(mounts: "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0")
        #expect(mounts.version == 2)
        #expect(mounts.directories(of: "/a") == ["/sys/fs/cgroup/a"])
    }

    @Test func `io is summed over all disks in both versions`() {
        let new = "254:0 rbytes=1000 wbytes=20 rios=3 wios=4\n7:0 rbytes=1 wbytes=2 dbytes=9"
        let expected = IOUsage(read: ByteCount(bytes: 1001), written: ByteCount(bytes: 22))
        #expect(IOUsage(ioStat: new) == expected)
        let old = """
            254:0 Read 1000
            254:0 Write 20
            254:0 Total 1020
            7:0 Read 1
            7:0 Write 2
            Total 1023
            """
        #expect(IOUsage(serviceBytes: old) == expected)
        let none = IOUsage(read: .zero, written: .zero)
        #expect(IOUsage(ioStat: "") == none && IOUsage(serviceBytes: "Total 0") == none)
    }

    @Test func `a host without control groups is refused`() {
        #expect(throws: GodwitError(.kernelRefused, "")) {
            try Cgroup(path: "/a", mounts: CgroupMounts(mounts: "proc /proc proc rw 0 0"))
        }
    }

    @Test func `a group that is not there holds nothing, and thawing and removing it do nothing`()
        async throws
    {
        let group = try Cgroup(path: "/gwt-nothing-here")
        #expect(!group.exists && group.processes().isEmpty && !group.isFrozen)
        try group.thaw()
        group.remove()
        try await group.killAll()
        #expect(group.memory() == .zero && group.cpuNanoseconds() == 0)
    }
}

@Suite(.enabled(if: getuid() == 0)) struct HostCgroupTests {
    @Test func `a frozen group stands still, a thawed one runs, a killed one is empty`()
        async throws
    {
        try await withGroup { group, join in
            async let run = Command("sh", ["-c", join + "while :; do :; done"]).run()
            #expect(await holds(within: .seconds(10)) { !group.processes().isEmpty })
            try await group.freeze()
            try await group.freeze()
            #expect(group.isFrozen)
            let ticks = group.cpuNanoseconds()
            for _ in 0..<3 { #expect(group.cpuNanoseconds() == ticks) }
            try group.thaw()
            #expect(!group.isFrozen)
            #expect(await holds(within: .seconds(10)) { group.cpuNanoseconds() > ticks })
            try await group.freeze()
            try await group.killAll()
            #expect(try await run.status == .signalled(SIGKILL))
            group.remove()
            #expect(!group.exists)
        }
    }

    @Test func `a group has the processor time that it is left with`() async throws {
        try await withGroup { group, join in
            let before = try group.processorLimit()
            #expect(before.quota == nil)
            #expect(
                ProcessorLimit(processors: 0.01) == ProcessorLimit(quota: 1_000, period: 100_000))
            #expect(ProcessorLimit(processors: 0).period == 1_000_000)
            let tenth = ProcessorLimit(processors: 0.1)
            try group.set(tenth)
            let limit = try group.processorLimit()
            #expect(limit == tenth && limit == ProcessorLimit(quota: 2_000, period: 20_000))
            async let run = Command("sh", ["-c", join + "while :; do :; done"]).run()
            #expect(await holds(within: .seconds(10)) { group.cpuNanoseconds() > 10_000_000 })
            let (start, ticks) = (ContinuousClock.now, group.cpuNanoseconds())
            try await Task.sleep(for: .milliseconds(500))
            let used = Double(group.cpuNanoseconds() - ticks) / 1e9
            // A machine that is busy gives it less, never more.
            #expect(used < 0.15 * ((ContinuousClock.now - start) / .seconds(1)) + 0.02)
            try group.set(before)
            let after = try group.processorLimit()
            #expect(after == before)
            try await group.killAll()
            _ = try await run
        }
    }

    @Test func `a group whose tasks are born and die all the time freezes every time`() async throws
    {
        try await withGroup { group, join in
            let busy = "while :; do /bin/true & /bin/true; done"
            async let run = Command("sh", ["-c", join + busy]).run()
            #expect(await holds(within: .seconds(10)) { !group.processes().isEmpty })
            for _ in 0..<100 {
                try await group.freeze()
                #expect(group.isFrozen)
                try group.thaw()
            }
            try await group.killAll()
            _ = try await run
        }
    }

    /// - Parameter body: gets the group and shell commands that join it.
    private func withGroup(_ body: (Cgroup, String) async throws -> Void) async throws {
        let path = "/gwt\(UInt32.random(in: .min ... .max))"
        let directories = try CgroupMounts.current().directories(of: path)
        let group = try Cgroup(path: path)
        for directory in directories {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: false)
        }
        do {
            try await body(group, directories.map { "echo $$ > \($0)/cgroup.procs; " }.joined())
        } catch {
            try? await group.killAll()
            group.remove()
            throw error
        }
        group.remove()
    }
}
