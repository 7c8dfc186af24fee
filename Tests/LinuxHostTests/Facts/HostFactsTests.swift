import Foundation
import LinuxHost
import MigrationCore
import Testing

/// The real tools of this host, where they are installed.
@Suite(.enabled(if: geteuid() == 0)) struct HostFactsTests {
    private static let criu = "/usr/local/libexec/godwit/criu"

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: criu)))
    func `the tools say what they can do, and are not asked twice`() async throws {
        let reader = HostFactsReader(criu: Self.criu)
        let facts = try await read(reader)
        #expect(try await read(reader).criu == facts.criu)
        let criu = try #require(facts.criu)
        #expect(criu.version >= Version(4, 2))
        #expect(criu.features.isSuperset(of: [ToolFacts.checkPassed, "timens", "userns"]))
        #expect(!criu.features.contains("bogus"))
        #expect(facts.runtimes.first?.features == [ToolFacts.checkpoint])
        #expect(facts.rsync?.features.isSuperset(of: ["ACLs", "xattrs"]) == true)
        let refusals = Checks.hostFindings(of: facts).filter { $0.weight == .refusal }
        #expect(refusals.map(\.check) == ["pool"])
    }

    private func read(_ reader: HostFactsReader) async throws -> HostFacts {
        try await reader.facts(pools: [], instanceNames: [], instanceAddresses: [], for: nil)
    }
}
