import Foundation
import LinuxHost
import MigrationCore
import Testing

/// What nftables and conntrack are asked, and what conntrack says.
@Suite struct PortToolTests {
    private func definition(_ ports: [PortDefinition]) throws -> InstanceDefinition {
        InstanceDefinition(
            name: try InstanceName("web"), process: ProcessDefinition(command: ["/bin/server"]),
            idMap: nil,
            interfaces: [
                InterfaceDefinition(
                    name: "eth0", bridge: "br0", hardwareAddress: "02:00:00:00:00:05",
                    addresses: ["10.0.0.5/24", "fd00::5/64"])
            ], ports: ports, created: Timestamp(milliseconds: 0))
    }

    @Test func `nftables puts all ports into one table in one step`() throws {
        let ports = [
            PortDefinition(hostPort: 8080, port: 80),
            PortDefinition(transport: .udp, hostAddress: "192.0.2.9", hostPort: 53, port: 5353),
        ]
        let asked = Nft.publish(try definition(ports), table: "gw01")
        #expect(asked.command.description == "nft -f -")
        let rules = """
                meta nfproto ipv4 fib daddr type local tcp dport 8080 dnat ip to 10.0.0.5:80
                meta nfproto ipv6 fib daddr type local tcp dport 8080 \
            dnat ip6 to [fd00:0:0:0:0:0:0:5]:80
                ip daddr 192.0.2.9 udp dport 53 dnat ip to 10.0.0.5:5353

            """
        #expect(
            asked.input == """
                table inet gw01 {}
                delete table inet gw01
                table inet gw01 {
                  chain prerouting {
                    type nat hook prerouting priority dstnat; policy accept;
                \(rules)  }
                  chain output {
                    type nat hook output priority -100; policy accept;
                \(rules)  }
                }

                """)
        #expect(
            Nft.withdraw(table: "gw01").input == "table inet gw01 {}\ndelete table inet gw01\n")
    }

    private let line = """
        -A -t 431999 -u SEEN_REPLY,ASSURED -s 10.1.0.2 -d 192.0.2.9 -g 10.0.0.5 -q 10.1.0.2 -p tcp \
        --sport 4000 --dport 8080 --reply-port-src 80 --reply-port-dst 4000 --state ESTABLISHED
        """

    private let connection = TranslatedConnection(
        transport: .tcp, client: "10.1.0.2", clientPort: 4000, host: "192.0.2.9", hostPort: 8080,
        instance: "10.0.0.5", port: 80, seconds: 431_999, state: .established)

    @Test func `a connection is read as it is written`() throws {
        #expect(Conntrack.connections(in: line + "\n") == [connection])
        let load = Conntrack.load([connection])
        #expect(load.command.description == "conntrack -R -")
        #expect(load.input == line + "\n")
        let address = try #require(NetworkAddress("10.0.0.5"))
        #expect(
            Conntrack.list(to: address).description
                == "conntrack -L -o save -f ipv4 --reply-src 10.0.0.5")
        #expect(
            Conntrack.forget(to: address).description
                == "conntrack -D -f ipv4 --reply-src 10.0.0.5")
    }

    @Test(arguments: [
        "", "-A", "nonsense", "-A -p sctp", "-D -s 10.1.0.2",
        "-A -t 9 -u UNSET -s 10.1.0.2 -d 192.0.2.9 -g 10.0.0.5 -q 10.1.0.2 -p tcp --sport 1",
        "-A -t 9 -u SEEN_REPLY -s x -d 192.0.2.9 -g 10.0.0.5 -p tcp --sport 1 --dport 2",
        """
        -A -t 59 -u SEEN_REPLY -s 10.1.0.2 -d 192.0.2.9 -g 10.0.0.5 -q 10.1.0.2 -p tcp \
        --sport 4001 --dport 8080 --reply-port-src 80 --reply-port-dst 4001 --state SYN_RECV
        """,
        "-A -u SEEN_REPLY -s 10.1.0.2 -d 192.0.2.9 -g 10.0.0.5 -p tcp --sport 70000 --dport 2",
    ])
    func `lines of other connections are passed over`(text: String) {
        #expect(Conntrack.connections(in: text + "\n" + line) == [connection])
    }

    @Test func `random lines are survived, and bounded`() {
        var random = SystemRandomNumberGenerator()
        let words = line.split(separator: " ").map(String.init) + ["-A", "\u{0}", "999999999999"]
        for _ in 0..<2_000 {
            let count = Int.random(in: 0..<30, using: &random)
            let text = (0..<count).map { _ in words.randomElement(using: &random) ?? "" }
            _ = Conntrack.connections(in: text.joined(separator: " "))
        }
        let many = String(repeating: line + "\n", count: Limit.connectionsKept + 10)
        #expect(Conntrack.connections(in: many).count == Limit.connectionsKept)
    }

    @Test func `the longest list of connections fits into what is read of a file`() throws {
        let address = (0..<8).map { _ in "ffff" }.joined(separator: ":")
        let longest = TranslatedConnection(
            transport: .tcp, client: address, clientPort: 65_535, host: address, hostPort: 65_535,
            instance: address, port: 65_535, seconds: .max, state: .established)
        let size = try JSONEncoder().encode(longest).count + 1
        #expect(size * Limit.connectionsKept < Int(Limit.smallFile.bytes))
    }

    @Test func `only connections through the instance's own ports are its own`() throws {
        let port = PortDefinition(hostAddress: "192.0.2.9", hostPort: 8080, port: 80)
        let own = try definition([port])
        #expect(connection.belongs(to: own))
        let spoilt: [(inout TranslatedConnection) -> Void] = [
            { $0.instance = "10.0.0.6" }, { $0.port = 22 }, { $0.hostPort = 22 },
            { $0.host = "192.0.2.8" }, { $0.transport = .udp }, { $0.client = "fd00::1" },
            { $0.client = "10.1.0.2 -j" }, { $0.instance = "" }, { $0.state = nil },
        ]
        for spoil in spoilt {
            var other = connection
            spoil(&other)
            #expect(!other.belongs(to: own))
        }
        #expect(!connection.belongs(to: try definition([])))
    }
}
