import MigrationCore
import Testing

@Suite struct ChecksTests {
    @Test(arguments: [MoveOptions.Mode.live, .cold])
    func `between equal hosts no check says anything`(mode: MoveOptions.Mode) throws {
        #expect(try found(mode) { _ in } == [])
    }

    @Test func `an able host has no findings of its own`() {
        #expect(Checks.hostFindings(of: ableHost()) == [])
    }

    @Test func `names are unique and words with dashes`() {
        let names = Checks.all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.allSatisfy { $0.isLowercase || $0 == "-" } })
    }

    @Test func `all findings appear at once, refusals first`() throws {
        let findings = try found { pair in
            pair.target.criu = nil
            pair.target.kernel = Version(6, 1)
            pair.target.bridges = []
            pair.target.rsync = nil
        }
        #expect(
            findings.map(\.mark) == [
                "criu refusal", "bridges refusal", "rsync refusal", "kernel-version warning",
            ])
        #expect(!Checks.allow(findings))
        #expect(Checks.allow(findings.filter { $0.weight == .warning }))
    }

    @Test func `every finding of an empty host names cause and cure`() throws {
        let findings =
            try found { pair in
                pair.target = nothing(pair.target)
                pair.source = nothing(pair.source)
            } + Checks.hostFindings(of: nothing(ableHost()))
        #expect(findings.count > 20)
        for finding in findings {
            #expect(finding.cause.count > 20 && finding.cure.count > 10, "\(finding)")
            #expect(!finding.cause.hasSuffix(".") && !finding.cure.hasSuffix("."), "\(finding)")
            #expect(finding.cure.first?.isUppercase == false, "\(finding)")
            #expect(Checks.all.map(\.name).contains(finding.check))
        }
    }

    @Test func `a host without anything says so for each thing once`() {
        let marks = Checks.hostFindings(of: nothing(ableHost())).map(\.mark)
        #expect(
            marks == [
                "kernel-version refusal", "kernel-features refusal", "criu refusal",
                "runtime refusal", "cgroup refusal", "filesystems refusal", "pool refusal",
                "rsync refusal", "kernel-features warning", "bridges warning", "id-map warning",
                "pipes warning",
            ])
    }

    @Test func `what a peer sends in masses is cut`() throws {
        let findings = try found { pair in
            pair.instance.obstacles = (0..<1_000).map {
                Obstacle(kind: "x", process: "p\($0)", detail: "d")
            }
            pair.target.processorFeatures = []
            pair.source.processorFeatures = Set((0..<5_000).map { "avx\($0)" })
        }
        #expect(findings.count == Limit.findings)
        #expect(findings.allSatisfy { $0.cause.utf8.count < 2_000 })
    }
}

/// A host of which nothing good is known.
private func nothing(_ host: HostFacts) -> HostFacts {
    var host = host
    host.kernel = Version(4, 9)
    (host.kernelFeatures, host.processorFeatures, host.filesystems) = ([], [], [])
    (host.criu, host.rsync, host.runtimes, host.pools) = (nil, nil, [], [])
    host.cgroup = CgroupFacts(version: 0, controllers: [])
    (host.bridges, host.idRange, host.mountablePaths) = ([], nil, [])
    (host.pipeLimit, host.memoryAvailable) = (.zero, .zero)
    return host
}
