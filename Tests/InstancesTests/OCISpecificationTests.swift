import Foundation
import Instances
import LinuxHost
import MigrationCore
import Testing

@Suite struct OCISpecificationTests {
    private let driver = OCIDriver(
        OCIConfiguration(executable: "/usr/local/bin/godwit"), obstacles: { _ in [] })

    @Test func `a definition becomes this bundle`() throws {
        let definition = InstanceDefinition(
            name: try InstanceName("web"),
            process: ProcessDefinition(
                command: ["/bin/server", "--port", "80"], environment: ["A=b"],
                workingDirectory: "/srv", userID: 33, groupID: 34),
            limits: ResourceLimits(memory: .mebibytes(256), cpuMillis: 1500, processes: 100),
            idMap: IDMap(hostStart: 100_000, count: 65_536),
            mounts: [MountDefinition(hostPath: "/srv/a", path: "/a", isReadOnly: true)],
            created: Timestamp(milliseconds: 0))
        let text = String(
            decoding: try driver.specification(of: definition, root: "/pool/web"), as: UTF8.self)
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Golden/config.json")
        if ProcessInfo.processInfo.environment["UPDATE"] != nil {
            try Data((text + "\n").utf8).write(to: golden)
        }
        #expect(text + "\n" == (try String(contentsOf: golden, encoding: .utf8)))
    }

    @Test func `a privileged instance without limits has no mappings and no user namespace`() throws
    {
        let definition = InstanceDefinition(
            name: try InstanceName("web"), process: ProcessDefinition(command: ["/init"]),
            idMap: nil, created: Timestamp(milliseconds: 0))
        let bytes = try driver.specification(of: definition, root: "/pool/web")
        let json = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        let linux = try #require(json?["linux"] as? [String: Any])
        let namespaces = linux["namespaces"] as? [[String: String]]
        #expect(
            namespaces?.compactMap { $0["type"] } == ["pid", "ipc", "uts", "mount", "network"])
        #expect(linux["uidMappings"] == nil && linux["gidMappings"] == nil)
        #expect((linux["resources"] as? [String: Any])?.keys.sorted() == ["devices"])
    }

    @Test func `the hook takes the number from the state that runc writes`() throws {
        let state = #"{"ociVersion":"1.0.2-dev","id":"web","status":"creating","pid":26114}"#
        #expect(try NetworkHook.pid(inState: Array(state.utf8)) == 26114)
        for wrong in ["", "{}", "{\"pid\":0}", "{\"pid\":-1}", "[1]", "{\"pid\":\"1\"}"] {
            #expect(throws: GodwitError(.badRequest, "")) {
                try NetworkHook.pid(inState: Array(wrong.utf8))
            }
        }
    }
}

@Suite struct InstanceLogTests {
    @Test func `the log turns over at its limit and its end spans both files`() async throws {
        let base = NSTemporaryDirectory() + "gwt-log-\(UUID().uuidString)"
        try SmallFile.makeDirectory(base)
        defer { try? SmallFile.remove(base) }
        let log = InstanceLog(
            path: "\(base)/a.log", olderPath: "\(base)/a.log.1", limit: ByteCount(bytes: 10))
        for piece in ["12345", "67890", "abc", "defgh"] {
            let (read, write) = try Descriptor.pipe()
            try write.write(Array(piece.utf8)[...])
            write.close()
            try await blocking { try log.append(from: read) }
        }
        #expect(SmallFile.word("\(base)/a.log.1") == "1234567890")
        #expect(SmallFile.word("\(base)/a.log") == "abcdefgh")
        let text = { String(decoding: try log.tail(ByteCount(bytes: $0)), as: UTF8.self) }
        #expect(try text(100) == "1234567890abcdefgh")
        #expect(try text(10) == "90abcdefgh")
        #expect(try text(3) == "fgh")
        #expect(try text(0) == "")
        try log.remove()
        #expect(try text(100) == "")
    }
}
