import Foundation
import MigrationCore
import Testing

@Suite struct ResourceLimitsTests {
    @Test func `limits of older hosts and journals are read`() throws {
        let old = #"{"memory": 1048576, "cpuMillis": 1500, "processes": 10}"#
        let limits = try JSONDecoder().decode(ResourceLimits.self, from: Data(old.utf8))
        let expected = ResourceLimits(memory: .mebibytes(1), cpuMillis: 1500, processes: 10)
        #expect(limits == expected)
        let none = try JSONDecoder().decode(ResourceLimits.self, from: Data("{}".utf8))
        #expect(none == ResourceLimits())
        let facts = try JSONDecoder().decode(
            CgroupFacts.self, from: Data(#"{"version": 1, "controllers": ["cpu"]}"#.utf8))
        #expect(facts == CgroupFacts(version: 1, controllers: ["cpu"]))
        let observation = try JSONDecoder().decode(
            InstanceObservation.self,
            from: Data(
                #"{"status": "running", "processes": 1, "memory": 5, "cpuNanoseconds": 7}"#.utf8))
        #expect(observation.memoryPeak == nil && observation.io == nil)
    }

    @Test func `limits come back as they went`() throws {
        let limits = ResourceLimits(
            memory: .mebibytes(2), memoryReservation: .mebibytes(1), memorySwap: .mebibytes(2),
            cpuMillis: 1, cpuWeight: 10_000, cpuset: try ProcessorSet(parsing: "0-1"),
            processes: 1, ioWeight: 1,
            ioLimits: [IOLimit(device: "/dev/a", writeOperations: 1)],
            devices: [DeviceAccess(path: "/dev/net/tun", access: "r")])
        try limits.validate()
        let data = try JSONEncoder().encode(limits)
        #expect(try JSONDecoder().decode(ResourceLimits.self, from: data) == limits)
    }

    private static let wrong: [ResourceLimits] = [
        ResourceLimits(cpuWeight: 0), ResourceLimits(cpuWeight: 10_001),
        ResourceLimits(ioWeight: 0), ResourceLimits(ioWeight: 10_001),
        ResourceLimits(memory: .mebibytes(1), memoryReservation: .mebibytes(2)),
        ResourceLimits(memorySwap: .mebibytes(1)),
        ResourceLimits(memory: .mebibytes(2), memorySwap: .mebibytes(1)),
        ResourceLimits(ioLimits: [IOLimit(device: "/dev/a")]),
        ResourceLimits(ioLimits: [IOLimit(device: "/dev/a", readBytes: 0)]),
        ResourceLimits(ioLimits: [IOLimit(device: "/etc/a", readBytes: 1)]),
        ResourceLimits(devices: [DeviceAccess(path: "/dev/a", access: "")]),
        ResourceLimits(devices: [DeviceAccess(path: "/dev/a", access: "rr")]),
        ResourceLimits(devices: [DeviceAccess(path: "/dev/a", access: "x")]),
        ResourceLimits(devices: [DeviceAccess(path: "/dev/a"), DeviceAccess(path: "/dev/a")]),
        ResourceLimits(devices: [DeviceAccess(path: "/dev/../etc/passwd")]),
        ResourceLimits(devices: [DeviceAccess(path: "/dev/")]),
        ResourceLimits(devices: [DeviceAccess(path: "dev/a")]),
    ]

    @Test(arguments: wrong)
    func `what no kernel would take is refused`(limits: ResourceLimits) {
        #expect(throws: GodwitError(.badRequest, "")) { try limits.validate() }
    }

    @Test func `too many devices are refused`() {
        let devices = (0...64).map { DeviceAccess(path: "/dev/a\($0)") }
        #expect(throws: GodwitError(.limitExceeded, "")) {
            try ResourceLimits(devices: devices).validate()
        }
    }

    @Test(
        arguments: [
            ("0", "0"), ("0-3", "0-3"), ("5,0-1,2", "0-2,5"), ("1,1", "1"), ("8191", "8191"),
        ])
    func `processors are read and written as the kernel does`(text: String, written: String)
        throws
    {
        #expect(try ProcessorSet(parsing: text).description == written)
    }

    @Test(arguments: [
        "", ",", "a", "-1", "1-", "3-1", "0-1-2", "0,,1", "٣", "99999999999999999999",
    ])
    func `what is no list of processors is refused`(text: String) {
        #expect(throws: GodwitError(.badRequest, "")) { try ProcessorSet(parsing: text) }
    }

    @Test func `a processor that no kernel has is refused`() {
        #expect(throws: GodwitError(.limitExceeded, "")) { try ProcessorSet(parsing: "8192") }
    }
}
