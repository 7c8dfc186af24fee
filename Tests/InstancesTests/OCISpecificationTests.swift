import Foundation
import Instances
import LinuxHost
import MigrationCore
import Testing

@Suite struct OCISpecificationTests {
    private let driver = OCIDriver(
        OCIConfiguration(executable: "/usr/local/bin/godwit"), obstacles: { _ in [] })

    private let old = HostResources(
        cgroup: CgroupFacts(
            version: 1, controllers: ["memory", "cpu", "cpuset", "pids", "blkio", "devices"],
            abilities: ["bfqWeight", "swap"]),
        devices: [
            "/dev/vda": DeviceNumber(isBlock: true, major: 254, minor: 0),
            "/dev/fuse": DeviceNumber(isBlock: false, major: 10, minor: 229),
        ])

    private static func limits() throws -> ResourceLimits {
        ResourceLimits(
            memory: .mebibytes(256), memoryReservation: .mebibytes(64),
            memorySwap: .mebibytes(300), cpuMillis: 1500, cpuWeight: 200,
            cpuset: try ProcessorSet(parsing: "1,0"), processes: 100, ioWeight: 500,
            ioLimits: [
                IOLimit(
                    device: "/dev/vda", readBytes: 1 << 20, writeBytes: 2 << 20,
                    readOperations: 100, writeOperations: 200),
                IOLimit(device: "/dev/gone", readBytes: 1),
            ],
            devices: [DeviceAccess(path: "/dev/fuse", access: "rw")])
    }

    private func resources(
        _ limits: ResourceLimits, on host: HostResources
    ) throws -> NSDictionary {
        let definition = InstanceDefinition(
            name: try InstanceName("web"), process: ProcessDefinition(command: ["/init"]),
            limits: limits, idMap: nil, created: Timestamp(milliseconds: 0))
        let bytes = try driver.specification(of: definition, root: "/pool/web", on: host)
        let json = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        let linux = try #require(json?["linux"] as? [String: Any])
        return try #require(linux["resources"] as? NSDictionary)
    }

    @Test func `version 2 gets weights as they are, and what it has of them`() throws {
        let controllers: Set = ["memory", "cpu", "cpuset", "pids", "io"]
        var host = old
        host.cgroup = CgroupFacts(
            version: 2, controllers: controllers, abilities: ["bfqWeight", "costWeight"])
        let found = try resources(Self.limits(), on: host)
        #expect(
            found["unified"] as? [String: String]
                == ["cpu.weight": "200", "io.weight": "500", "io.bfq.weight": "136"])
        #expect((found["cpu"] as? [String: Any])?["shares"] == nil)
        #expect((found["blockIO"] as? [String: Any])?["weight"] == nil)
        #expect((found["memory"] as? [String: Any])?["swap"] == nil)
        host.cgroup.abilities = []
        host.cgroup.controllers = ["memory"]
        let poor = try resources(Self.limits(), on: host)
        #expect(poor["unified"] == nil && poor["blockIO"] == nil)
    }

    @Test(arguments: [(1, 10), (100, 1_024), (10_000, 102_400)] as [(UInt32, UInt64)])
    func `a weight becomes shares of version 1`(weight: UInt32, shares: UInt64) throws {
        let limits = ResourceLimits(cpuWeight: weight, ioWeight: weight)
        let found = try resources(limits, on: old)
        #expect((found["cpu"] as? [String: UInt64])?["shares"] == shares)
        let io = (found["blockIO"] as? [String: UInt32])?["weight"]
        #expect(io == [1: 10, 100: 100, 10_000: 1_000][weight])
    }

    @Test func `a definition becomes this bundle`() throws {
        let definition = InstanceDefinition(
            name: try InstanceName("web"),
            process: ProcessDefinition(
                command: ["/bin/server", "--port", "80"], environment: ["A=b"],
                workingDirectory: "/srv", userID: 33, groupID: 34),
            limits: try Self.limits(),
            idMap: IDMap(hostStart: 100_000, count: 65_536),
            mounts: [MountDefinition(hostPath: "/srv/a", path: "/a", isReadOnly: true)],
            created: Timestamp(milliseconds: 0))
        let text = String(
            decoding: try driver.specification(of: definition, root: "/pool/web", on: old),
            as: UTF8.self)
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
        let bytes = try driver.specification(of: definition, root: "/pool/web", on: old)
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
