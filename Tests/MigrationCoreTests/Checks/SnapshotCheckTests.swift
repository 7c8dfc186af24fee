import Foundation
import MigrationCore
import Testing

@Suite struct SnapshotCheckTests {
    private func snapshots(_ count: Int) throws -> [Snapshot] {
        try (0..<count).map { number in
            Snapshot(
                name: try SnapshotName("snap\(number)"), created: Timestamp(milliseconds: 0))
        }
    }

    @Test func `who gives snapshots up is told what becomes of them`() throws {
        for mode in [MoveOptions.Mode.live, .cold] {
            let given = try only(mode) {
                $0.instance.snapshots = try? snapshots(2)
                $0.options.dropsSnapshots = true
            }
            #expect(given?.mark == "snapshots warning")
            #expect(given?.cause.contains("2 snapshots, which the source deletes") == true)
        }
        let kept = try found {
            $0.instance.snapshots = try? snapshots(1)
            $0.options.dropsSnapshots = true
            $0.options.keepsDefinition = true
        }
        #expect(kept == [])
    }

    @Test func `snapshots that travel are nothing to be told of`() throws {
        let found = try found { $0.instance.snapshots = try? snapshots(1) }
        #expect(found == [])
    }

    @Test func `the target is told what they take`() throws {
        let volume = VolumeFacts(
            name: "web", used: .mebibytes(1), methods: [.rsync], usedBySnapshots: .gibibytes(2))
        let bytes = try JSONEncoder().encode(volume)
        #expect(try JSONDecoder().decode(VolumeFacts.self, from: bytes) == volume)
    }

    @Test func `they need room on the target, unless they are given up`() throws {
        let spoil = { (comparison: inout Comparison) in
            comparison.instance.volumes[0].usedBySnapshots = .gibibytes(20)
        }
        #expect(try only(.live, spoil)?.mark == "disk-space refusal")
        let given = try found {
            spoil(&$0)
            $0.options.dropsSnapshots = true
        }
        #expect(given == [])
    }
}
