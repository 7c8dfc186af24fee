import LinuxHost
import MigrationCore
import Testing

/// Texts as real tools and kernels wrote them.
enum Recorded {
    static let runc = """
        runc version 1.1.5+ds1
        commit: 1.1.5+ds1-1+deb12u1
        spec: 1.0.2-dev
        """
    static let crun = "crun version 1.21\ncommit: 10269840aa07fb7e6b7e1acff6198692d8ff5c88\n"
    static let runcFeatures = """
        {"ociVersionMin": "1.0.0", "hooks": ["prestart"], "annotations": {
        "io.github.seccomp.libseccomp.version": "2.5.4",
        "org.opencontainers.runc.checkpoint.enabled": "true"}}
        """
    static let rsync = """
        rsync  version 3.5.0  protocol version 32
        Copyright (C) 1996-2026 by Andrew Tridgell, Wayne Davison, and others.
        Capabilities:
            64-bit files, socketpairs, hardlink-symlinks, append, ACLs,
            ACL-at, xattrs, optional secluded-args, prealloc, stop-at,
            no crtimes
        Optimizations:
            SIMD-roll, no asm-roll
        """
    static let mounts = """
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
        32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 master:2 - cgroup cgroup rw,cpu
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
        40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
        """
    static let cgroups = """
        #subsys_name\thierarchy\tnum_cgroups\tenabled
        cpu\t1\t1\t1
        memory\t4\t19\t1
        pids\t8\t1\t1
        """
    static let cpuinfo = """
        processor\t: 0
        flags\t\t: fpu vme avx2
        processor\t: 1
        flags\t\t: fpu avx2 extra
        """
    static let status = """
        Name:\tpython3
        State:\tS (sleeping)
        Tgid:\t4711
        PPid:\t4700
        TracerPid:\t99
        NStgid:\t4711\t1
        NSpid:\t4711\t1
        NSsid:\t4700\t0
        """
    static let maps = """
        7f00-7f01 rw-s 00000000 00:0e 12 anon_inode:[io_uring]
        7f01-7f02 rw-p 00000000 00:00 0
        7f02-7f03 r-xp 00001000 fe:00 77                       /usr/bin/a b
        """

    static let all = [
        runc, crun, runcFeatures, rsync, mounts, cgroups, cpuinfo, status, maps,
        "MemAvailable:   23882276 kB\n", "nodev\tsysfs\n\text4\n", "Version: 4.2.1\nGitID: v4\n",
    ]
}

@Suite struct FactsTextTests {
    @Test func `versions of tools are read`() {
        #expect(ToolTexts.criuVersion("Version: 4.2.1\nGitID: v4.2.1-3\n") == Version(4, 2, 1))
        #expect(ToolTexts.criuVersion("Warn: x\nVersion: 3.17.1") == Version(3, 17, 1))
        #expect(ToolTexts.criuVersion("criu: not found") == nil)
        #expect(ToolTexts.runtimeVersion(Recorded.runc) == Version(1, 1, 5))
        #expect(ToolTexts.runtimeVersion(Recorded.crun) == Version(1, 21))
        #expect(ToolTexts.runtimeVersion("runc version") == nil)
    }

    @Test func `a runtime's promise of checkpoints is read`() {
        #expect(ToolTexts.canCheckpoint(features: Recorded.runcFeatures))
        let crun = "{\"annotations\":{\"run.oci.crun.checkpoint.enabled\":\"true\"}}"
        #expect(ToolTexts.canCheckpoint(features: crun))
        for text in [
            "", "{}", "[]", Recorded.runcFeatures.replacing("\"true\"", with: "\"false\""),
        ] {
            #expect(!ToolTexts.canCheckpoint(features: text))
        }
    }

    @Test func `what rsync can do is read`() {
        let read = ToolTexts.rsync(Recorded.rsync)
        #expect(read?.version == Version(3, 5, 0))
        #expect(read?.features.isSuperset(of: ["ACLs", "xattrs", "64-bit files"]) == true)
        #expect(read?.features.contains { $0.contains("crtimes") || $0 == "SIMD-roll" } == false)
        #expect(ToolTexts.rsync("") == nil)
    }

    @Test func `cgroups of version 1 beside an empty version 2 are version 1`() {
        let facts = KernelTexts.cgroup(mounts: Recorded.mounts, known: Recorded.cgroups) { _ in "" }
        #expect(facts == CgroupFacts(version: 1, controllers: ["cpu", "memory"]))
    }

    @Test func `cgroups of version 2 name their controllers themselves`() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate"
        let facts = KernelTexts.cgroup(mounts: mounts, known: Recorded.cgroups) { point in
            point == "/sys/fs/cgroup" ? "cpuset cpu memory pids\n" : nil
        }
        let controllers: Set = ["cpuset", "cpu", "memory", "pids"]
        #expect(facts == CgroupFacts(version: 2, controllers: controllers))
    }

    @Test func `without a hierarchy the version is 0`() {
        let facts = KernelTexts.cgroup(mounts: "", known: Recorded.cgroups) { _ in nil }
        #expect(facts == CgroupFacts(version: 0, controllers: []))
    }

    @Test func `processor features are those that all processors have`() {
        #expect(KernelTexts.processorFeatures(cpuinfo: Recorded.cpuinfo) == ["fpu", "avx2"])
        #expect(
            KernelTexts.processorFeatures(cpuinfo: "Features\t: fp asimd\n") == ["fp", "asimd"])
        #expect(KernelTexts.processorFeatures(cpuinfo: "") == [])
    }

    @Test func `memory and filesystems are read`() {
        let text = "MemTotal: 9 kB\nMemAvailable:   2048 kB\n"
        #expect(KernelTexts.memoryAvailable(meminfo: text) == .mebibytes(2))
        let most = "MemAvailable: 18446744073709551615 kB"
        #expect(KernelTexts.memoryAvailable(meminfo: most) == ByteCount(bytes: .max))
        #expect(KernelTexts.memoryAvailable(meminfo: "MemAvailable: much") == .zero)
        #expect(KernelTexts.filesystems("nodev\tproc\n\text4\n\n") == ["proc", "ext4"])
    }

    @Test func `a process's state is read, outer numbers first`() {
        let status = ProcessStatus(Recorded.status)
        #expect(status.name == "python3" && status.parent == 4_700 && status.tracer == 99)
        #expect(status.isFirstOfNamespace && status.innermostSession == 0 && !status.hasEnded)
        #expect(ProcessStatus("State:\tZ (zombie)").hasEnded)
        #expect(!ProcessStatus("NSpid:\t1").isFirstOfNamespace)
    }

    @Test func `mappings have a range and sometimes a path`() {
        let read = Recorded.maps.split(separator: "\n").map { mapping($0)?.path }
        #expect(read == ["anon_inode:[io_uring]", nil, "/usr/bin/a b"])
    }

    @Test(
        arguments: [
            ("[eventfd]", nil), ("inotify", nil), ("[pidfd]", nil), ("[eventpoll]", nil),
            ("[io_uring]", ObstacleKind.ioUring), ("bpf-map", .bpf), ("bpf_link", .bpf),
            ("kvm-vm", .openDevice), ("[userfaultfd]", .userfaultfd),
            ("[fscontext]", .anonymousFile),
            ("seccomp notify", .anonymousFile), ("[perf_event]", .performanceEvent),
        ] as [(Substring, ObstacleKind?)])
    func `anonymous files are told apart by name`(name: Substring, kind: ObstacleKind?) {
        #expect(anonymousKind(name) == kind)
    }

    @Test func `what an instance chose to call itself cannot move a terminal's cursor`() {
        #expect(printable("a\u{1b}[2Jb\n\u{9b}c") == "a?[2Jb??c")
        #expect(printable(String(repeating: "x", count: 1_000)).count == 300)
    }

    @Test func `tools are asked with these lines`() {
        #expect(Versions.criuVersion("/x/criu").description == "/x/criu --version")
        #expect(Versions.criuCheck("criu").description == "criu check")
        #expect(
            Versions.criuCheck("criu", feature: "timens").description
                == "criu check --feature timens")
        #expect(Versions.runtimeVersion("runc").description == "runc --version")
        #expect(Versions.runtimeFeatures("runc").description == "runc features")
        #expect(Versions.rsyncVersion("rsync").description == "rsync --version")
    }

    /// Any bytes may come from a tool of another version or a name that an instance chose.
    @Test func `no text makes a parser trap`() {
        var random = Seeded(state: 0x5eed)
        for round in 0..<4_000 {
            let text = random.mutation(of: Recorded.all[round % Recorded.all.count])
            _ = ToolTexts.criuVersion(text)
            _ = ToolTexts.runtimeVersion(text)
            _ = ToolTexts.canCheckpoint(features: text)
            _ = ToolTexts.rsync(text)
            _ = KernelTexts.processorFeatures(cpuinfo: text)
            _ = KernelTexts.memoryAvailable(meminfo: text)
            _ = KernelTexts.filesystems(text)
            let facts = KernelTexts.cgroup(mounts: text, known: Recorded.cgroups) { _ in text }
            #expect((0...2).contains(facts.version))
            _ = ProcessStatus(text).innermostSession
            for line in text.split(separator: "\n") { _ = mapping(line) }
        }
    }
}

/// A small generator of its own (splitmix64), so that a failure is seen again.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// The text with up to eight bytes changed, removed, doubled, or its end cut off.
    mutating func mutation(of text: String) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...8, using: &self) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &self)
            switch Int.random(in: 0..<4, using: &self) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &self)
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(bytes[index], at: index)
            default: bytes.removeLast(bytes.count - index)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
