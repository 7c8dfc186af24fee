import MigrationCore
import Testing

/// Processor, kernel, CRIU, runtime: what a live move needs and a cold one does not.
@Suite struct SoftwareChecksTests {
    @Test(arguments: [MoveOptions.Mode.live, .cold])
    func `another architecture is refused`(mode: MoveOptions.Mode) throws {
        let finding = try only(mode) { $0.target.architecture = "aarch64" }
        #expect(finding?.mark == "architecture refusal")
        #expect(finding?.cause == "the source is x86_64, the target is aarch64")
    }

    @Test func `a missing instruction set refuses a live move`() throws {
        let finding = try only { $0.target.processorFeatures = ["fpu", "sse2"] }
        #expect(finding?.mark == "processor refusal")
        #expect(finding?.cause.contains("lacks avx2,") == true)
        #expect(try found(.cold) { $0.target.processorFeatures = [] } == [])
    }

    @Test func `what only the kernel uses of a processor is no instruction`() throws {
        #expect(try found { $0.target.processorFeatures.remove("constant_tsc") } == [])
    }

    @Test func `on other architectures every feature counts`() throws {
        let finding = try only {
            ($0.source.architecture, $0.target.architecture) = ("aarch64", "aarch64")
            $0.source.processorFeatures = ["fp", "sve2", "constant_tsc"]
            $0.target.processorFeatures = ["fp"]
        }
        #expect(finding?.cause.contains("lacks constant_tsc, sve2,") == true)
    }

    @Test func `an older kernel is a warning and an ancient one a refusal`() throws {
        #expect(try only { $0.target.kernel = Version(6, 12) }?.mark == "kernel-version warning")
        #expect(try found { $0.target.kernel = Version(6, 18, 1) } == [])
        #expect(try found { $0.target.kernel = Version(7, 0) } == [])
        let marks = try found { $0.target.kernel = Version(5, 5) }.map(\.mark)
        #expect(marks == ["kernel-version refusal", "kernel-version warning"])
        #expect(try found(.cold) { $0.target.kernel = Version(5, 5) } == [])
    }

    @Test func `an ancient kernel of the source is refused too`() throws {
        #expect(try only { $0.source.kernel = Version(4, 19) }?.mark == "kernel-version refusal")
    }

    @Test(
        arguments: [
            (KernelFeature.checkpointRestore, true), (.timeNamespace, true),
            (.userNamespace, false), (.pidNamespace, false), (.ipv6, false),
        ])
    func `a missing kernel feature is refused where it is needed`(
        feature: KernelFeature, onlyLive: Bool
    ) throws {
        let finding = try only { $0.target.kernelFeatures.remove(feature.rawValue) }
        #expect(finding?.mark == "kernel-features refusal")
        #expect(finding?.cause.contains(feature.rawValue) == true)
        let cold = try found(.cold) { $0.target.kernelFeatures.remove(feature.rawValue) }
        #expect(cold.isEmpty == onlyLive)
    }

    @Test func `a feature that the instance does without is not missed`() throws {
        #expect(
            try found {
                $0.target.kernelFeatures.subtract(["user-namespace", "ipv6", "userfaultfd"])
                $0.definition.idMap = nil
                $0.definition.interfaces[0].addresses = ["10.0.0.5/24"]
            } == [])
        #expect(
            try found {
                $0.source.kernelFeatures.remove("time-namespace")
                $0.target.kernelFeatures.remove("time-namespace")
            } == [])
    }

    @Test func `checkpoints need the source's kernel too, filters are a warning`() throws {
        let finding = try only { $0.source.kernelFeatures.remove("checkpoint-restore") }
        #expect(finding?.cause.contains("the source") == true)
        #expect(
            try only { $0.target.kernelFeatures.remove("seccomp") }?.mark
                == "kernel-features warning")
    }

    @Test func `CRIU is needed on both hosts, but not by a cold move`() throws {
        #expect(try only { $0.target.criu = nil }?.cause == "CRIU is not installed on the target")
        #expect(try only { $0.source.criu = nil }?.cause == "CRIU is not installed on the source")
        #expect(try found(.cold) { ($0.source.criu, $0.target.criu) = (nil, nil) } == [])
    }

    @Test func `from kernel 6_16 on CRIU must be 4_2`() throws {
        let old = Version(4, 1, 1)
        let marks = try found {
            $0.source.criu?.version = old
            $0.target.criu?.version = old
        }.map(\.mark)
        #expect(marks == ["criu refusal", "criu refusal"])
        #expect(
            try found {
                ($0.source.kernel, $0.target.kernel) = (Version(6, 15), Version(6, 15))
                $0.source.criu?.version = old
                $0.target.criu?.version = old
            } == [])
        let finding = try only {
            ($0.source.kernel, $0.target.kernel) = (Version(6, 1), Version(6, 1))
            $0.source.criu?.version = Version(3, 16)
        }
        #expect(finding?.cause.contains("CRIU 3.16 of the source is too old") == true)
    }

    @Test func `the target's CRIU is not older than the source's`() throws {
        let finding = try only { $0.target.criu?.version = Version(4, 2) }
        #expect(finding?.mark == "criu refusal")
        #expect(try found { $0.target.criu?.version = Version(4, 3) } == [])
        #expect(try found { $0.source.criu?.version = Version(4, 2) } == [])
    }

    @Test func `CRIU must be content with both kernels`() throws {
        let finding = try only { $0.source.criu?.features.remove(ToolFacts.checkPassed) }
        #expect(finding?.mark == "criu-features refusal")
        #expect(try found(.cold) { $0.target.criu?.features = [] } == [])
    }

    @Test func `lost features of CRIU refuse or warn by what they mean`() throws {
        #expect(
            try only { $0.target.criu?.features.remove("timens") }?.mark == "criu-features refusal")
        #expect(
            try only { $0.target.criu?.features.remove("ipv6_freebind") }?.mark
                == "criu-features warning")
        #expect(try found { $0.source.criu?.features.insert("mem_dirty_track") } == [])
        #expect(try found { $0.target.criu?.features.insert("get_rseq_conf") } == [])
    }

    @Test func `the runtime must be there, able, and the same`() throws {
        let absent = try only { $0.target.runtimes = [] }
        #expect(absent?.cause == "no container runtime is installed on the target")
        #expect(try only(.cold) { $0.target.runtimes = [] }?.mark == "runtime refusal")
        let unable = try only { $0.source.runtimes[0].features = [] }
        #expect(unable?.cause == "no runtime of the source can checkpoint (it has runc)")
        #expect(try found(.cold) { $0.target.runtimes[0].features = [] } == [])
        let other = try only { $0.target.runtimes[0].name = "crun" }
        #expect(other?.cause.contains("has no runc") == true)
        #expect(try only { $0.target.runtimes = [] }?.weight == .refusal)
    }

    @Test func `an older runtime on the target is a warning`() throws {
        #expect(
            try only { $0.target.runtimes[0].version = Version(1, 0) }?.mark == "runtime warning")
        #expect(try found { $0.target.runtimes[0].version = Version(1, 1, 4) } == [])
    }
}
