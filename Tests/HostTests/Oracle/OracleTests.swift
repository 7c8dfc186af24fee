import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Instances that verify all of their memory after each move; `lab oracle` moves them more often.
@Suite(.timeLimit(.minutes(2))) struct HostOracleTests {
    @Test(arguments: OracleVariant.usual)
    func `all memory arrives there and back`(variant: OracleVariant) async throws {
        try await with(variant) { oracle in
            var last = try await oracle.verify()
            #expect(last.wrong == 0 && last.checked > 0)
            for (source, target) in [("a", "b"), ("b", "a")] {
                let report = try await oracle.move(from: source, to: target)
                let memory = try #require(report.memory)
                #expect(memory.rounds.count > 1 && memory.pagesAhead > 0, "\(memory)")
                let answer = try await oracle.verify()
                let explanations =
                    answer.wrong == 0 ? [] : try await oracle.explanations(on: target)
                #expect(answer.wrong == 0, "\(explanations.joined(separator: "\n"))")
                #expect(answer.checked > 0 && answer.steps > last.steps)
                last = answer
            }
        }
    }

    /// What has not arrived yet must neither be taken for zero nor travel in the freeze.
    @Test func `an instance that moves on while its memory arrives loses nothing`() async throws {
        try await with(.large) { oracle in
            for (source, target) in [("a", "b"), ("b", "a"), ("a", "b")] {
                let report = try await oracle.move(from: source, to: target)
                #expect((report.memory?.pagesAhead ?? 0) > 90_000, "\(report)")
            }
            let answer = try await oracle.verify()
            #expect(answer.wrong == 0 && answer.checked > 96 << 10)
        }
    }

    @Test(arguments: [OracleVariant.userfaultfd, .traced, .stopped])
    func `what CRIU could not take is refused with the reason`(
        variant: OracleVariant
    ) async throws {
        try await with(variant) { oracle in
            let words = ["move", Oracle.name, "host-b:"]
            let refusal = try await oracle.lab.godwit("a", words)
            if refusal.status.isSuccess {
                let version = try CgroupMounts.current().version
                #expect(variant == .stopped && version == 2)
            } else {
                #expect(refusal.errorText.contains("(\(variant.rawValue))"))
                #expect(refusal.errorText.contains("before anything was touched"))
            }
            let answer = try await oracle.verify()
            #expect(answer.wrong == 0 && answer.checked > 0)
        }
    }

    private func with(
        _ variant: OracleVariant, _ body: (Oracle) async throws -> Void
    ) async throws {
        let root =
            FileManager.default.temporaryDirectory.path
            + "/godwit-oracle-\(getpid())-\(variant.rawValue)"
        defer { try? FileManager.default.removeItem(atPath: root) }
        try await Oracle.makeRoot(at: root)
        try await Oracle.with(variant, root: root, body)
    }
}
