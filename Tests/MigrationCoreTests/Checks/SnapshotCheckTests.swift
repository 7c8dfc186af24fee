import MigrationCore
import Testing

@Suite struct SnapshotCheckTests {
    @Test func `snapshots are not lost by the way`() throws {
        for mode in [MoveOptions.Mode.live, .cold] {
            let refusal = try only(mode) { $0.instance.snapshots = 2 }
            #expect(refusal?.mark == "snapshots refusal")
            #expect(refusal?.cause.contains("2 snapshots") == true)
            #expect(refusal?.cure.contains("--without-snapshots") == true)
        }
    }

    @Test func `who gives them up or keeps them here is told what becomes of them`() throws {
        let given = try only {
            $0.instance.snapshots = 1
            $0.options.dropsSnapshots = true
        }
        #expect(given?.mark == "snapshots warning")
        #expect(given?.cause.contains("deletes") == true)
        let kept = try only {
            $0.instance.snapshots = 1
            $0.options.dropsSnapshots = true
            $0.options.keepsDefinition = true
        }
        #expect(kept?.mark == "snapshots warning")
        #expect(kept?.cause.contains("keeps") == true)
    }

    @Test(arguments: [nil, 0])
    func `an instance without any moves as it is`(count: Int?) throws {
        #expect(try found { $0.instance.snapshots = count } == [])
    }
}
