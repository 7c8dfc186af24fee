import MigrationCore
import Testing

/// Interfaces, renamed bridges and published ports.
@Suite struct NetworkChecksTests {
    private static let publishing = PublishingFacts(
        tools: ["nft", "conntrack"], forwardsVersion4: true, forwardsVersion6: true,
        addresses: ["192.0.2.1/24", "fd01::1/64"])

    private func published(
        _ ports: [PortDefinition], _ change: @escaping (inout Comparison) -> Void = { _ in }
    ) throws -> [Finding] {
        try found {
            $0.definition.ports = ports
            $0.target.publishing = Self.publishing
            change(&$0)
        }
    }

    private let floating = PortDefinition(hostAddress: "192.0.2.9", hostPort: 8080, port: 80)

    @Test func `a bridge of another name is looked for by that name`() throws {
        let renamed = { (pair: inout Comparison) in
            pair.options.networks = ["br0": "lan"]
            pair.target.bridges = ["lan"]
            pair.target.bridgeNetworks = ["lan": ["10.0.0.2/24"]]
        }
        #expect(try found(.live, renamed) == [])
        #expect(
            try only {
                renamed(&$0)
                $0.target.bridges = ["br0"]
            }?.cause == "the target has no bridge lan")
        #expect(
            try only {
                renamed(&$0)
                $0.target.bridgeNetworks = ["lan": ["10.9.0.1/24"]]
            }?.mark == "network warning")
    }

    @Test func `behind a cable an instance needs neither the bridge nor its network`() throws {
        let ends = CableEnds(own: "192.0.2.1", other: "198.51.100.2")
        let options = MoveOptions(forward: ForwardOptions(seconds: 600, ends: ends))
        #expect(
            try found {
                $0.options = options
                $0.target.bridges = []
                $0.target.bridgeNetworks = ["br0": ["10.9.0.1/24"]]
            } == [])
        let interface = options.arriving(try equalHosts().definition).interfaces[0]
        #expect(interface.cable == CableEnds(own: "198.51.100.2", other: "192.0.2.1"))
        #expect(interface.cableEnds == nil)
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("192.0.2.1", "fd00::1"), ("", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.2 dstport 1"),
    ])
    func `a cable leads from one host to another`(own: String, other: String) throws {
        let ends = CableEnds(own: own, other: other)
        #expect(
            try only {
                $0.options.forward = ForwardOptions(seconds: 600, ends: ends)
            }?.mark == "interfaces refusal")
    }

    @Test func `an instance that moves on leaves its cable behind`() throws {
        var definition = try equalHosts().definition
        let plain = definition
        definition.interfaces[0].cable = CableEnds(own: "192.0.2.1", other: "192.0.2.2")
        definition.interfaces[0].cableEnds = Timestamp(milliseconds: 1)
        #expect(MoveOptions().arriving(definition) == plain)
    }

    @Test func `a bridge that the instance does not use cannot be renamed`() throws {
        let finding = try only { $0.options.networks = ["br7": "lan"] }
        #expect(finding?.cause == "the instance has no interface on br7")
        #expect(finding?.cure == "it has some on br0")
    }

    @Test func `the definition that arrives has the new names and nothing else new`() throws {
        var definition = try equalHosts().definition
        let options = MoveOptions(newName: try InstanceName("web2"), networks: ["br0": "lan"])
        let arriving = options.arriving(definition)
        definition.name = try InstanceName("web2")
        definition.interfaces[0].bridge = "lan"
        #expect(arriving == definition)
    }

    @Test(arguments: [
        "", "a name with spaces", "br0\nlink delete eth0", "sixteen-bytes-xx", "a/b", "..", "-a",
        "a:b", "br\u{e9}",
    ])
    func `what is no interface's name never comes to a command`(name: String) throws {
        let findings = try found {
            $0.definition.interfaces[0].bridge = name
            $0.target.bridges = [name]
        }
        #expect(findings.map(\.mark) == ["interfaces refusal"])
    }

    @Test(arguments: [
        "10.0.0.5", "10.0.0.5/33", "10.0.0.5/24 dev lo", "fd00::5/129", "x/24", "10.0.0.5/24\n",
    ])
    func `what is no address with a prefix length is refused`(address: String) throws {
        #expect(
            try only { $0.definition.interfaces[0].addresses = [address] }?.mark
                == "interfaces refusal")
        #expect(
            try only {
                $0.definition.interfaces[0].routes = [
                    RouteDefinition(network: address, gateway: "10.0.0.1")
                ]
            }?.mark == "interfaces refusal")
    }

    @Test func `gateways, hardware addresses, sizes and counts have bounds`() throws {
        let spoilt: [(inout InterfaceDefinition) -> Void] = [
            { $0.gateways = ["10.0.0.1/24"] },
            { $0.routes = [RouteDefinition(network: "10.1.0.0/16", gateway: "there")] },
            { $0.hardwareAddress = "02:00:00:00:00" },
            { $0.hardwareAddress = "03:00:00:00:00:01" },
            { $0.hardwareAddress = "00:00:00:00:00:00" },
            { $0.mtu = 67 }, { $0.mtu = 65_522 },
            { $0.addresses = (1...17).map { "10.0.1.\($0)/24" } },
        ]
        for spoil in spoilt {
            #expect(
                try found { spoil(&$0.definition.interfaces[0]) }.map(\.check) == ["interfaces"])
        }
        #expect(try equalHosts().definition.interfaces[0].faults == [])
    }

    @Test func `a port on an address that follows needs nothing more than an able target`() throws {
        #expect(try published([floating]) == [])
        #expect(
            try published([PortDefinition(hostPort: 80, port: 80)]).map(\.mark)
                == ["ports warning"])
    }

    @Test func `a target that cannot publish is refused with what it lacks`() throws {
        #expect(try published([floating]) { $0.target.publishing = nil }.count == 1)
        let tools = try published([floating]) { $0.target.publishing?.tools = [] }
        #expect(
            tools.map(\.cure) == [
                "install it there: apt-get install conntrack",
                "install it there: apt-get install nftables",
            ])
        let still = try published([floating]) { $0.target.publishing?.forwardsVersion4 = false }
        #expect(still.map(\.cure) == ["let it: sysctl -w net.ipv4.ip_forward=1"])
        #expect(
            try published([floating]) { $0.target.publishing?.forwardsVersion6 = false } == [])
        let away = try published([floating]) { $0.target.publishing?.addresses = ["10.0.0.1/8"] }
        #expect(away.map(\.cause) == ["the target is in no network of the address 192.0.2.9"])
    }

    @Test func `a port belongs to one instance of a host`() throws {
        let taken = { (port: PortDefinition) in
            try self.published([self.floating]) { $0.target.publishing?.ports = [port] }
                .map(\.cause)
        }
        let refusal = ["an instance on the target has port 8080 published"]
        let follows = ["the address 192.0.2.9 follows another instance on the target"]
        #expect(try taken(PortDefinition(hostPort: 8080, port: 1)) == refusal)
        #expect(
            try taken(PortDefinition(hostAddress: "192.0.2.9", hostPort: 8080, port: 1))
                == refusal + follows)
        #expect(
            try taken(PortDefinition(hostAddress: "192.0.2.9", hostPort: 81, port: 1)) == follows)
        #expect(
            try taken(PortDefinition(hostAddress: "192.0.2.8", hostPort: 8080, port: 1)) == [])
        #expect(try taken(PortDefinition(transport: .udp, hostPort: 8080, port: 1)) == [])
    }

    @Test func `an address that the host has anyway may be used by several instances`() throws {
        let other = PortDefinition(hostAddress: "192.0.2.9", hostPort: 81, port: 1)
        for (own, isFree) in [("192.0.2.9/24", true), ("192.0.2.9/32", false)] {
            let findings = try published([floating]) {
                $0.target.publishing?.ports = [other]
                $0.target.publishing?.addresses.insert(own)
            }
            #expect(findings.isEmpty == isFree)
        }
    }

    @Test func `ports that cannot be are faults`() throws {
        let wrong: [[PortDefinition]] = [
            [PortDefinition(hostPort: 0, port: 80)],
            [PortDefinition(hostAddress: "nowhere", hostPort: 80, port: 80)],
            [floating, floating],
            (1...65).map { PortDefinition(hostAddress: "192.0.2.9", hostPort: $0, port: 80) },
        ]
        for ports in wrong { #expect(try published(ports).first?.mark == "ports refusal") }
        #expect(
            try published([floating]) { $0.definition.interfaces = [] }.map(\.cause) == [
                "192.0.2.9:8080:80 needs an IPv4 address of the instance on a bridge"
            ])
    }

    @Test func `a launch is held against the same rules`() throws {
        var definition = try equalHosts().definition
        var host = ableHost()
        host.publishing = Self.publishing
        definition.ports = [floating]
        #expect(PortCheck().findings(launching: definition, on: host) == [])
        host.publishing?.forwardsVersion4 = false
        #expect(PortCheck().findings(launching: definition, on: host).count == 1)
    }
}
