import MigrationCore
import Testing

@Suite struct SharedCheckTests {
    private static let token = SharedToken(name: "name", value: "value")

    private func both(_ comparison: inout Comparison) {
        comparison.instance.volumes[0].methods = [.shared, .rsync]
        for path in [\Comparison.source, \Comparison.target] {
            comparison[keyPath: path].pools[0].driver = "shared"
            comparison[keyPath: path].pools[0].token = Self.token
        }
    }

    @Test func `both hosts see the same if what one has written is there for the other`() throws {
        #expect(try found { both(&$0) } == [])
        let unseen: [SharedToken?] = [nil, SharedToken(name: "name", value: "other")]
        for token in unseen {
            let finding = try only {
                both(&$0)
                $0.target.pools[0].token = token
            }
            #expect(finding?.mark == "shared refusal")
            #expect(finding?.cause.contains("is not the source's") == true)
        }
        // Nothing can be compared with what nobody has written.
        let silent = try only {
            both(&$0)
            $0.source.pools[0].token = nil
            $0.target.pools[0].token = nil
        }
        #expect(silent?.mark == "shared refusal")
    }

    @Test func `between pools of different kinds nothing is shared`() throws {
        let found = try found {
            both(&$0)
            $0.target.pools[0].driver = "directory"
            $0.target.pools[0].token = nil
        }
        #expect(found == [])
    }

    @Test func `a shared volume keeps its name and has one owner`() throws {
        let kept = try only {
            both(&$0)
            $0.options.keepsDefinition = true
        }
        #expect(kept?.mark == "shared refusal")
        let renamed = try only {
            both(&$0)
            $0.options.newName = try? InstanceName("shop")
        }
        #expect(renamed?.mark == "shared refusal")
    }

    @Test func `a named volume does not change hands where both hosts see it`() throws {
        let data = try VolumeReference(pool: "default", name: VolumeName("data"))
        let finding = try only {
            both(&$0)
            $0.instance.volumes.append(
                VolumeFacts(name: data.key, used: .mebibytes(1), methods: [.shared, .rsync]))
            $0.definition.mounts.append(
                MountDefinition(path: "/more", isReadOnly: false, volume: data))
        }
        #expect(finding?.mark == "shared refusal")
        #expect(finding?.cause.contains(data.key) == true)
    }

    @Test func `what does not travel needs no room`() throws {
        let full = { (comparison: inout Comparison) in
            comparison.target.pools[0].available = .zero
        }
        #expect(try only(.live, full)?.mark == "disk-space refusal")
        let shared = try found {
            both(&$0)
            full(&$0)
        }
        #expect(shared == [])
    }
}
