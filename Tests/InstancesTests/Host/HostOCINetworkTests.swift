import Foundation
import Instances
import LinuxHost
import MigrationCore
import Testing

@Suite(.serialized, .enabled(if: TestHost.isPossible)) struct HostOCINetworkTests {
    /// Answers every line, as long as one connection lives.
    private static let echo = "echo up; exec nc -l -p 7000 -e cat"

    @Test func `a connection lives through freeze, checkpoint and restore`() async throws {
        try await Bridge.with { bridge in
            try await TestHost.pair(Self.echo, interfaces: [bridge.interface()]) {
                source, target, definition in
                try await source.waitForLog(definition, longerThan: 0)
                let client = try await bridge.connect(port: 7000)
                #expect(try await client.ask("before\n") == "before\n")
                let request = Array("during\n".utf8)
                try await source.driver.freeze(definition)
                try await blocking { try client.socket.write(request[...]) }
                try await target.receive(definition, from: source)
                _ = try await target.driver.restore(
                    definition, root: target.root, options: MoveOptions())
                try await source.driver.end(definition)
                #expect(try await client.answer(7) == "during\n")
                for number in 0..<20 {
                    #expect(try await client.ask("after\(number)\n") == "after\(number)\n")
                }
                #expect(try source.leftovers(definition) == [])
                try await target.driver.remove(definition)
                #expect(try target.leftovers(definition) == [])
            }
        }
    }

    @Test func `a connection lives through a move that did not happen`() async throws {
        try await Bridge.with { bridge in
            try await TestHost.pair(Self.echo, interfaces: [bridge.interface()]) {
                source, target, definition in
                try await source.waitForLog(definition, longerThan: 0)
                let client = try await bridge.connect(port: 7000)
                try await source.driver.freeze(definition)
                try await target.receive(definition, from: source)
                try await target.driver.discardRestore(definition)
                try await source.driver.thaw(definition)
                #expect(try await client.ask("still here\n") == "still here\n")
            }
        }
    }

    @Test func `connections are closed on request`() async throws {
        let script = "echo up; nc -l -p 7000 -e cat; echo closed; sleep 1000"
        try await Bridge.with { bridge in
            try await TestHost.pair(script, interfaces: [bridge.interface()]) {
                source, target, definition in
                try await source.waitForLog(definition, longerThan: 0)
                let client = try await bridge.connect(port: 7000)
                #expect(try await client.ask("before\n") == "before\n")
                try await source.driver.freeze(definition)
                let options = MoveOptions(tcp: .close)
                try await target.receive(definition, from: source, options: options)
                _ = try await target.driver.restore(
                    definition, root: target.root, options: options)
                try await source.driver.end(definition)
                try await target.waitForLog(definition, longerThan: 0)
                #expect(try await target.log(definition) == ["closed"])
            }
        }
    }

    @Test func `a restored instance has its addresses, routes and hardware address`() async throws {
        try await Bridge.with { bridge in
            var interface = bridge.interface()
            interface.gateways = [bridge.gateway]
            interface.mtu = 1400
            try await TestHost.pair(counting, interfaces: [interface]) {
                source, target, definition in
                let show =
                    "ip -o address show dev eth0; ip route; ip -o link show dev eth0; "
                    + "ip -o address show dev lo"
                let before = try await source.shell(show, in: definition).output
                #expect(before.contains(interface.addresses[0]))
                #expect(before.contains(interface.addresses[1]))
                #expect(before.contains("default via \(bridge.gateway)"))
                #expect(before.contains(interface.hardwareAddress))
                #expect(before.contains("mtu 1400") && before.contains("127.0.0.1"))
                try await source.driver.freeze(definition)
                try await target.receive(definition, from: source)
                _ = try await target.driver.restore(
                    definition, root: target.root, options: MoveOptions())
                try await source.driver.end(definition)
                let after = try await target.shell(show, in: definition).output
                let plain = { (text: String) in
                    text.replacing(#/@if\d+|\d+: |link-netnsid \d+/#, with: "")
                }
                #expect(plain(after) == plain(before))
            }
        }
    }

    @Test func `a bridge that is not there fails the start with its name`() async throws {
        try await TestHost.with { host in
            try await host.makeRoot()
            let interface = InterfaceDefinition(
                name: "eth0", bridge: "gwt-no-bridge", hardwareAddress: "02:00:00:00:00:01",
                addresses: [])
            let definition = try host.definition(counting, interfaces: [interface])
            let error = await #expect(throws: GodwitError.self) {
                try await host.driver.start(definition, root: host.root)
            }
            #expect(error?.cause?.contains("hook") == true, "\(String(describing: error))")
            #expect(try host.leftovers(definition) == [])
        }
    }
}

/// A bridge of this machine with a private network on it.
private struct Bridge {
    let name: String
    let number: UInt8

    static func with(_ body: (Bridge) async throws -> Void) async throws {
        let number = UInt8.random(in: 1...250)
        let bridge = Bridge(name: "gwtbr\(number)", number: number)
        let lines = [
            "link add name \(bridge.name) type bridge", "link set dev \(bridge.name) up",
            "address add \(bridge.gateway)/24 dev \(bridge.name)",
        ]
        let remove = Command("ip", ["link", "delete", "dev", bridge.name])
        do {
            try await Command("ip", ["-batch", "-"])
                .check(input: Array(lines.joined(separator: "\n").utf8))
            try await body(bridge)
        } catch {
            _ = try? await remove.run()
            throw error
        }
        try await remove.check()
    }

    var gateway: String { "10.213.\(number).1" }
    var address: String { "10.213.\(number).5" }

    func interface() -> InterfaceDefinition {
        InterfaceDefinition(
            name: "eth0", bridge: name,
            hardwareAddress: "02:67:77:00:00:" + (number < 16 ? "0" : "")
                + String(number, radix: 16),
            addresses: ["\(address)/24", "fd67:\(String(number, radix: 16))::5/64"])
    }

    func connect(port: UInt16) async throws -> Client {
        let address = address
        return try await blocking {
            for _ in 0..<200 {
                let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                let client = Client(socket: Descriptor(taking: number))
                var target = sockaddr_in()
                target.sin_family = sa_family_t(AF_INET)
                target.sin_port = port.bigEndian
                // SAFETY: the pointers live as long as the calls, with the size of what they point
                // to.
                let result = unsafe withUnsafeMutablePointer(to: &target) { pointer in
                    unsafe inet_pton(AF_INET, address, &pointer.pointee.sin_addr)
                    return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        unsafe Foundation.connect(
                            number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
                if result == 0 { return client }
                usleep(10_000)
            }
            throw GodwitError(.linkLost, "\(address):\(port) did not answer")
        }
    }
}

/// One connection into an instance.
private struct Client: Sendable {
    let socket: Descriptor

    func ask(_ line: String) async throws -> String {
        let bytes = Array(line.utf8)
        try await blocking { try socket.write(bytes[...]) }
        return try await answer(bytes.count)
    }

    func answer(_ count: Int) async throws -> String {
        try await blocking {
            var timeout = timeval(tv_sec: 20, tv_usec: 0)
            // SAFETY: the pointer is to a timeval of the size given.
            unsafe setsockopt(
                socket.number, SOL_SOCKET, SO_RCVTIMEO, &timeout,
                socklen_t(MemoryLayout<timeval>.size))
            var all: [UInt8] = []
            while all.count < count {
                let bytes = try socket.read(upTo: count - all.count)
                if bytes.isEmpty { break }
                all += bytes
            }
            return String(decoding: all, as: UTF8.self)
        }
    }
}
