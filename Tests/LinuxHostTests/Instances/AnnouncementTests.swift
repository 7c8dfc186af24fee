import LinuxHost
import MigrationCore
import Testing

@Suite struct AnnouncementTests {
    private func interface(_ addresses: [String], hardware: String = "02:00:5e:10:00:01")
        -> InterfaceDefinition
    {
        InterfaceDefinition(
            name: "eth0", bridge: "br0", hardwareAddress: hardware, addresses: addresses)
    }

    @Test func `a version 4 address is a gratuitous ARP request to all`() throws {
        let frames = try Announcement(interface: interface(["10.0.0.5/24"])).frames
        #expect(
            frames == [
                [
                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 0x08,
                    0x06,
                    0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x01,
                    0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 10, 0, 0, 5,
                    0, 0, 0, 0, 0, 0, 10, 0, 0, 5,
                ]
            ])
    }

    @Test func `a version 6 address is an unsolicited advertisement with a right checksum`() throws
    {
        let frames = try Announcement(interface: interface(["fd00::5/64"])).frames
        let frame = try #require(frames.first)
        #expect(frame.count == 14 + 40 + 32)
        #expect(frame[12...13] == [0x86, 0xdd] && frame[20] == 58 && frame[21] == 255)
        #expect(frame[54] == 136 && frame[58] == 0x20)
        // Over pseudo header and message the ones' complement sum is all ones.
        let pseudo = Array(frame[22..<54]) + [0, 0, 0, 32, 0, 0, 0, 58] + Array(frame[54...])
        var sum: UInt32 = 0
        for index in stride(from: 0, to: pseudo.count, by: 2) {
            sum += UInt32(pseudo[index]) << 8 | UInt32(pseudo[index + 1])
        }
        while sum > 0xffff { sum = (sum & 0xffff) + sum >> 16 }
        #expect(sum == 0xffff)
    }

    @Test func `an interface without addresses asks for its own, so that switches learn`() throws {
        let frames = try Announcement(interface: interface([])).frames
        let frame = try #require(frames.first)
        #expect(frames.count == 1 && frame.count == 42)
        #expect(frame[12...13] == [0x80, 0x35] && frame[21] == 3)
        #expect(frame[6..<12] == frame[22..<28] && frame[22..<28] == frame[32..<38])
    }

    @Test(arguments: ["", "10.0.0", "10.0.0.5.6/24", "nonsense/64", "fd00:::5/64"])
    func `what is no address is refused`(address: String) {
        #expect(throws: GodwitError(.badRequest, "")) {
            try Announcement(interface: interface([address]))
        }
    }

    @Test(arguments: ["", "02:00", "02:00:00:00:00:zz", "02:00:00:00:00:00:00"])
    func `what is no hardware address is refused`(hardware: String) {
        #expect(throws: GodwitError(.badRequest, "")) {
            try Announcement(interface: interface(["10.0.0.5/24"], hardware: hardware))
        }
    }

    @Test func `host ends have short names that differ by host, instance and interface`() throws {
        let web = try InstanceName("web")
        let names = [
            HostEnd(scope: "a", instance: web, interface: "eth0"),
            HostEnd(scope: "b", instance: web, interface: "eth0"),
            HostEnd(scope: "a", instance: web, interface: "eth1"),
            HostEnd(scope: "a", instance: try InstanceName("web2"), interface: "eth0"),
        ].map(\.name)
        #expect(Set(names).count == 4)
        #expect(names.allSatisfy { $0.hasPrefix("gw") && $0.count == 10 })
        #expect(HostEnd(scope: "a", instance: web, interface: "eth0").name == names[0])
        #expect(!HostEnd(scope: "a", instance: web, interface: "eth0").exists)
        #expect(throws: GodwitError(.kernelRefused, "")) {
            try HostEnd(name: "gwt-nothing").setUp(true)
        }
    }
}
