import MigrationCore
import Testing

@Suite struct ErrorTests {
    @Test func `codes are spelled alike and never twice`() {
        let codes = GodwitError.Code.allCases.map(\.rawValue)
        #expect(Set(codes).count == codes.count)
        for code in codes {
            #expect(code.allSatisfy { $0 == "-" || ("a"..."z").contains($0) }, "\(code)")
        }
    }

    /// One exit status for each class of failure: scripts branch on these.
    @Test func `exit statuses name classes`() {
        let classes = Dictionary(grouping: GodwitError.Code.allCases, by: \.exitStatus)
            .mapValues { Set($0.map(\.rawValue)) }
        let expected: [Int32: Set<String>] = [
            2: ["refused"], 3: ["custody-undecided"], 64: ["bad-request"],
            65: ["name-taken", "not-running", "already-running", "busy"], 66: ["not-found"],
            68: ["daemon-unreachable"], 69: ["tool-missing"], 70: ["internal-fault"],
            71: ["tool-failed", "checkpoint-failed", "restore-failed", "kernel-refused"],
            74: ["volume-differs", "memory-differs", "no-space"], 75: ["timed-out", "link-lost"],
            76: ["peer-incompatible", "protocol-violation", "limit-exceeded"],
            77: ["not-permitted", "peer-untrusted", "token-rejected", "too-many-attempts"],
            78: ["state-unreadable"], 130: ["cancelled"],
        ]
        #expect(classes == expected)
    }

    @Test func `statuses of the API are those of errors`() {
        for code in GodwitError.Code.allCases { #expect((400...599).contains(code.httpStatus)) }
    }

    @Test func `what may decide itself later is not given up`() {
        #expect(GodwitError.Code.linkLost.recovery == .resumeLater)
        #expect(GodwitError.Code.custodyUndecided.recovery == .resumeLater)
        #expect(GodwitError.Code.refused.recovery == .giveUp)
        #expect(GodwitError.Code.busy.recovery == .retry)
    }

    @Test func `an error is read from what happened down to what to do`() {
        let error = GodwitError(.noSpace, "the pool is full", remedy: "free some", cause: "ENOSPC")
        #expect(
            error.description
                == "the pool is full (no-space)\n  cause: ENOSPC\n  → free some"
        )
        #expect(error == GodwitError(.noSpace, "another text"))
        #expect(error != GodwitError(.busy, "the pool is full"))
    }

    @Test func `a refusal keeps as many findings as the limit says`() {
        let many = Array(repeating: Sample.finding, count: Limit.findings + 10)
        #expect(GodwitError.refusal(many).findings.count == Limit.findings)
    }
}
