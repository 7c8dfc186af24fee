import MigrationCore
import Testing

/// What becomes of that which only one instance can have.
@Suite struct CopyRequestTests {
    private func source(
        addresses: [[String]] = [["10.0.0.5/24"], ["10.1.0.5/24"]], ports: [PortDefinition]? = nil
    ) throws -> InstanceDefinition {
        let interfaces = addresses.enumerated().map { number, addresses in
            InterfaceDefinition(
                name: "eth\(number)", bridge: "br0", hardwareAddress: "02:00:00:00:00:01",
                addresses: addresses, gateways: ["10.0.0.1"],
                routes: [RouteDefinition(network: "10.9.0.0/16", gateway: "10.0.0.2")])
        }
        return InstanceDefinition(
            name: try InstanceName("web"), process: ProcessDefinition(command: ["x"]), idMap: nil,
            interfaces: interfaces, ports: ports, created: Timestamp(milliseconds: 0))
    }

    private func request(_ addresses: [String]?, keeps: Bool = false) throws -> CopyRequest {
        CopyRequest(
            source: try SnapshotPath("web"), newName: try InstanceName("trial"),
            addresses: addresses, keepsAddresses: keeps)
    }

    @Test func `it has to be said what becomes of addresses and ports`() throws {
        let port = PortDefinition(hostPort: 80, port: 80)
        let sources = [try source(), try source(addresses: [[]], ports: [port])]
        for source in sources {
            let error = #expect(throws: GodwitError.self) {
                _ = try request(nil).definition(of: source)
            }
            #expect(error?.code == .badRequest)
            #expect(error?.remedy?.contains("--keep-addresses") == true)
        }
        let bare = try request(nil).definition(of: source(addresses: [[]], ports: []))
        #expect(bare.name.text == "trial")
    }

    @Test func `the first interface has the addresses that are given, and no other any`() throws {
        let ports = [PortDefinition(hostPort: 80, port: 80)]
        let copy = try request(["10.0.0.6/24"]).definition(of: source(ports: ports))
        #expect(copy.interfaces.map(\.addresses) == [["10.0.0.6/24"], []])
        #expect(copy.interfaces.map(\.gateways) == [["10.0.0.1"], []])
        #expect(copy.interfaces.map { $0.routes?.count } == [1, nil])
        #expect(copy.ports == nil)
        let none = try request([]).definition(of: source())
        #expect(none.interfaces.allSatisfy { $0.addresses.isEmpty && $0.gateways.isEmpty })
        #expect(throws: GodwitError(.badRequest, "")) {
            _ = try request(["10.0.0.6/24"]).definition(of: source(addresses: []))
        }
    }

    @Test func `what is kept is kept whole, but for traffic from elsewhere`() throws {
        var source = try source(ports: [PortDefinition(hostPort: 80, port: 80)])
        source.interfaces[0].cable = CableEnds(own: "192.0.2.1", other: "192.0.2.2")
        source.interfaces[0].cableEnds = Timestamp(milliseconds: 1)
        let copy = try request(nil, keeps: true).definition(of: source)
        #expect(copy.interfaces.map(\.addresses) == source.interfaces.map(\.addresses))
        #expect(copy.ports == source.ports)
        #expect(copy.interfaces.allSatisfy { $0.cable == nil && $0.cableEnds == nil })
    }
}
