import MigrationCore
import Testing

/// What a macvlan needs of the host that it hangs on.
@Suite struct ParentCheckTests {
    private let sound = ParentFacts(isUp: true, mtu: 1500)

    private func found(
        _ facts: ParentFacts?, _ change: @escaping (inout Comparison) -> Void = { _ in }
    ) throws -> [Finding] {
        try MigrationCoreTests.found {
            $0.definition.interfaces[0].nicType = .macvlan
            $0.definition.interfaces[0].bridge = "uplink"
            $0.target.bridges = []
            $0.target.parents = facts.map { ["uplink": $0] } ?? [:]
            change(&$0)
        }
    }

    @Test func `a parent that is there, up, free and large enough is all that is needed`() throws {
        #expect(try found(sound) == [])
    }

    @Test func `a target without the parent is refused with the way to name another`() throws {
        let finding = try #require(try found(nil).first)
        #expect(finding.mark == "parents refusal")
        #expect(finding.cause == "the target has no interface uplink")
        #expect(finding.cure == "name another one with --network uplink=OTHER")
        #expect(
            try found(nil) {
                $0.options.networks = ["uplink": "lan0"]
                $0.target.parents = ["lan0": self.sound]
            } == [])
    }

    @Test func `a parent that cannot carry it is refused with what hinders`() throws {
        let spoilt: [(ParentFacts, String)] = [
            (ParentFacts(isUp: false, mtu: 1500), "is down"),
            (ParentFacts(isUp: true, isEthernet: false, mtu: 1500), "is no Ethernet"),
            (
                ParentFacts(isUp: true, master: "br0", mtu: 1500),
                "belongs to br0, which has its frames"
            ),
            (ParentFacts(isUp: true, mtu: 1499), "has an MTU of 1499, a macvlan's 1500"),
        ]
        for (facts, text) in spoilt {
            #expect(
                try found(facts).map(\.cause) == ["the interface uplink of the target \(text)"])
        }
    }

    @Test func `neither a target that knows no macvlans nor a tunnel will do`() throws {
        #expect(
            try found(sound) { $0.target.parents = nil }.map(\.cure) == ["bring it up to date"])
        let ends = CableEnds(own: "192.0.2.1", other: "198.51.100.2")
        #expect(
            try found(sound) { $0.options.forward = ForwardOptions(seconds: 600, ends: ends) }
                .map(\.cause) == ["traffic for a macvlan cannot be forwarded"])
    }

    @Test func `a launch is held against the same rules`() throws {
        var definition = try equalHosts().definition
        var host = ableHost()
        #expect(ParentCheck().findings(launching: definition, on: host) == [])
        definition.interfaces[0].nicType = .macvlan
        host.parents = [:]
        let finding = ParentCheck().findings(launching: definition, on: host).first
        #expect(finding?.cause == "this host has no interface br0")
        host.parents = ["br0": sound]
        #expect(ParentCheck().findings(launching: definition, on: host) == [])
    }

    @Test func `ports are not published through a macvlan`() throws {
        let port = PortDefinition(hostAddress: "192.0.2.9", hostPort: 80, port: 80)
        #expect(
            try found(sound) { $0.definition.ports = [port] }.map(\.cause)
                == ["192.0.2.9:80:80 needs an IPv4 address of the instance on a bridge"])
    }

    @Test func `a definition from before macvlans is of a bridge`() throws {
        let interface = try equalHosts().definition.interfaces[0]
        #expect(interface.nicType == nil && !interface.isMacvlan)
    }
}
