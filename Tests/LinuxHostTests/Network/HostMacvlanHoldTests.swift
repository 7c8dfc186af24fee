import CLinux
import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// What is sent to a macvlan is kept while that can take nothing.
@Suite(.serialized, .timeLimit(.minutes(3))) struct HostMacvlanHoldTests {
    private static let end = MacvlanEnd(name: "eth0")
    private static let interface: InterfaceDefinition = {
        var interface = HoldScene.interface
        interface.bridge = "up0"
        interface.nicType = .macvlan
        return interface
    }()

    /// The hosts' uplinks are free, and the instance is on host a.
    private func withInstance(_ body: (HoldScene) async throws -> Void) async throws {
        try await HoldScene.with { scene in
            for host in [scene.a, scene.b] { try await scene.ip(host, ["link set up0 nomaster"]) }
            try await connect(scene, to: scene.a, isOpen: true)
            for address in ["10.9.0.7", "fd09::7"] {
                try await eventually("the client reaches the instance") {
                    try await scene.asks(address).contains("refused")
                }
            }
            try await body(scene)
        }
    }

    private func connect(_ scene: HoldScene, to host: Int32, isOpen: Bool) async throws {
        let macvlan = Ip.addMacvlan(Self.interface, pid: scene.instance, isOpen: isOpen)
        let words = [macvlan.command.tool] + macvlan.command.arguments
        try await LabCommands.network(of: host, words).check(input: Array(macvlan.input.utf8))
        try await Self.end.setUp(of: scene.instance, isSilent: false)
        let inner = Ip.configure([Self.interface], pid: scene.instance)
        try await inner.command.check(input: Array(inner.input.utf8))
    }

    private func prepare(_ scene: HoldScene, on host: Int32) async throws -> PacketHold {
        try await PacketHold.prepare(Self.interface, beside: HoldScene.end, host: host)
    }

    private func close(_ scene: HoldScene, _ hold: PacketHold) async throws {
        try hold.start()
        try Self.end.divert(of: scene.instance)
        try await Self.end.silence(of: scene.instance)
        let type = Int32(SOCK_RAW.rawValue)
        let socket = Descriptor(taking: godwit_socket_of(scene.instance, AF_PACKET, type, 0))
        let isReady = unsafe godwit_packet_ready(socket.number, Self.end.name)
        #expect(isReady == 0, "the kernel still sends for the instance")
        try hold.yield()
    }

    private func traffic(
        _ scene: HoldScene, _ address: String, isStream: Bool,
        _ body: (NumberedTraffic) async throws -> Void
    ) async throws {
        let traffic = try NumberedTraffic(scene, to: address, isStream: isStream)
        defer { traffic.end() }
        traffic.run(pause: 2_000)
        try await eventually("numbers arrive") { traffic.arrived.count > 50 }
        try await body(traffic)
    }

    @Test(arguments: ["10.9.0.7", "fd09::7"])
    func `a client's connection goes on as soon as the hold is released`(
        address: String
    ) async throws {
        try await withInstance { scene in
            try await traffic(scene, address, isStream: true) { traffic in
                let hold = try await prepare(scene, on: scene.a)
                try await close(scene, hold)
                // What the freeze takes.
                try await Task.sleep(for: .milliseconds(300))
                let before = try scene.retransmissions()
                let tally = try await hold.release(into: HoldScene.end, of: scene.instance)
                let sent = traffic.sent
                try await eventually("all arrives") { traffic.arrived.count >= sent + 50 }
                if ProcessInfo.processInfo.environment["GODWIT_FIGURES"] != nil {
                    let text = "FIGURE macvlan gap \(traffic.longestGap) \(tally)\n"
                    FileHandle.standardError.write(Data(text.utf8))
                }
                #expect(try scene.retransmissions() - before <= 1)
                #expect(tally.kept > 0 && tally.delivered == tally.kept)
                #expect(tally.dropped == 0 && tally.undelivered == 0)
                let arrived = traffic.arrived
                #expect(arrived == Array(0..<UInt32(arrived.count)))
            }
        }
    }

    @Test func `no datagram is lost on the way from one host to the other`() async throws {
        try await withInstance { scene in
            let clean = try await [scene.a, scene.b].asyncMap { try await links(scene, of: $0) }
            try await traffic(scene, "10.9.0.7", isStream: false) { traffic in
                let source = try await prepare(scene, on: scene.a)
                let target = try await prepare(scene, on: scene.b)
                try await close(scene, source)
                try await eventually("frames are kept at the source") { source.tally.kept > 20 }
                try target.start()
                try target.announce(try Announcement(interface: Self.interface))
                try await eventually("frames come to the target") { target.tally.kept > 20 }
                try await scene.ip(scene.instance, ["link delete eth0"])
                try await connect(scene, to: scene.b, isOpen: false)
                let sent = HeldBatch.batches(source.take(), interface: "eth0").map(\.encoded)
                for bytes in sent { target.give(try HeldBatch(decoding: bytes).frames) }
                let tally = try await target.release(into: HoldScene.end, of: scene.instance)
                #expect(tally.given > 20 && tally.delivered == tally.given + tally.kept)
                await source.drop()
                let upTo = traffic.sent
                try await eventually("all arrives") { traffic.arrived.count >= upTo + 20 }
                // One that comes in the moment of opening may come twice or pass others by.
                let arrived = traffic.arrived
                #expect(Set(0..<UInt32(upTo)).isSubset(of: arrived))
                #expect(arrived.count <= Set(arrived).count + 2)
            }
            let after = try await [scene.a, scene.b].asyncMap { try await links(scene, of: $0) }
            #expect(after == clean)
        }
    }

    /// Trains of segments, with checksums that nobody has computed yet, are kept as a wire would
    /// carry them.
    @Test func `a large transfer through many holds arrives as it was sent`() async throws {
        try await withInstance { scene in
            let server = """
                import socket, sys, zlib
                door = socket.create_server(('10.9.0.7', 4078))
                link, sum, size = door.accept()[0], 0, 0
                while True:
                    part = link.recv(1 << 20)
                    if not part: break
                    sum, size = zlib.crc32(part, sum), size + len(part)
                sys.stdout.write('%d %d' % (size, sum))
                """
            let client = """
                import socket, sys, zlib, time, random
                bytes = random.Random(7).randbytes(1 << 20)
                sum, link = 0, socket.create_connection(('10.9.0.7', 4078), 5)
                for _ in range(48):
                    link.sendall(bytes)
                    sum = zlib.crc32(bytes, sum)
                    time.sleep(0.02)
                sys.stdout.write('%d %d' % (48 << 20, sum))
                """
            async let heard = scene.run(scene.instance, ["python3", "-c", server])
            try await eventually("the server listens") {
                try await scene.run(scene.instance, ["ss", "-Hltn"]).text.contains(":4078")
            }
            async let said = scene.run(scene.client, ["python3", "-c", client])
            var kept = 0
            for _ in 0..<8 {
                let hold = try await prepare(scene, on: scene.a)
                try await close(scene, hold)
                try await Task.sleep(for: .milliseconds(50))
                kept += try await hold.release(into: HoldScene.end, of: scene.instance).kept
            }
            let (one, other) = (try await said, try await heard)
            #expect(kept > 0)
            #expect(one.status.isSuccess && one.text == other.text, "\(one) \(other)")
        }
    }

    @Test func `a parent that is not there is named`() async throws {
        try await withInstance { scene in
            var lost = Self.interface
            lost.bridge = "gwnone0"
            let missing = await #expect(throws: GodwitError.self) {
                _ = try await PacketHold.prepare(lost, beside: HoldScene.end, host: scene.a)
            }
            #expect(missing?.code == .notFound && missing?.message.contains("gwnone0") == true)
            await #expect(throws: GodwitError(.kernelRefused, "")) {
                try await MacvlanEnd(name: "gwnone1").silence(of: scene.instance)
            }
        }
    }

    private func links(_ scene: HoldScene, of host: Int32) async throws -> Set<String> {
        try await scene.state(of: host).links
    }
}

extension Array {
    fileprivate func asyncMap<Value>(
        _ body: (Element) async throws -> Value
    ) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await body(element)) }
        return values
    }
}
