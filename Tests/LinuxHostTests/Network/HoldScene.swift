import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// Two hosts with a bridge each, a switch between them and a client, each in a network namespace;
/// and an instance that is on one of the hosts.
struct HoldScene: Sendable {
    let a: Int32
    let b: Int32
    let client: Int32
    let instance: Int32

    static let end = HostEnd(name: "gwt0000001")
    static let interface = InterfaceDefinition(
        name: "eth0", bridge: "br0", hardwareAddress: "02:00:5e:10:00:07",
        addresses: ["10.9.0.7/24", "fd09::7/64"])

    static func with(_ body: (HoldScene) async throws -> Void) async throws {
        let children = try (0..<5).map { _ in
            try ChildProcess.start(
                Command("unshare", ["--net", "sleep", "120"]), descriptors: [], endsItsGroup: true)
        }
        do {
            for child in children {
                try await eventually("a namespace stands") {
                    commandLine(of: child.pid).first == "sleep"
                }
            }
            let pids = children.map(\.pid)
            let scene = HoldScene(a: pids[0], b: pids[1], client: pids[2], instance: pids[3])
            try await scene.wire(switchPid: pids[4])
            try await body(scene)
        } catch {
            await end(children)
            throw error
        }
        await end(children)
    }

    private static func end(_ children: [ChildProcess]) async {
        for child in children {
            child.signal(SIGKILL)
            _ = await child.wait()
        }
    }

    private func wire(switchPid: Int32) async throws {
        try await ip(switchPid, ["link add br0 type bridge", "link set br0 up"])
        for (number, pid) in [a, b, client].enumerated() {
            try await ip(
                switchPid,
                [
                    "link add p\(number) type veth peer name up0 netns \(pid)",
                    "link set p\(number) master br0 up",
                ])
        }
        for host in [a, b] {
            try await ip(
                host,
                ["link add br0 type bridge", "link set br0 up", "link set up0 master br0 up"])
        }
        try await ip(
            client,
            [
                "link set up0 up", "address add 10.9.0.1/24 dev up0",
                "address add fd09::1/64 dev up0 nodad",
            ])
    }

    /// Gives the instance its interface on a host; the host end stays down, as after a restore.
    func connect(to host: Int32) async throws {
        let veth = Ip.addVeth(Self.interface, hostEnd: Self.end.name, pid: instance)
        try await inside(host, veth.command).check(input: Array(veth.input.utf8))
        let inner = Ip.configure([Self.interface], pid: instance)
        try NeighbourQuestions.hurry(Self.interface.name, of: instance)
        try await inner.command.check(input: Array(inner.input.utf8))
    }

    func release(_ hold: PacketHold, into end: HostEnd = HoldScene.end) async throws -> HoldTally {
        try await hold.deliver(into: end, of: instance)
        let tally = try await hold.release(into: end, of: instance)
        try NeighbourQuestions.calm(Self.interface.name, of: instance)
        return tally
    }

    func setEnd(of host: Int32, up: Bool) async throws {
        try await ip(host, ["link set \(Self.end.name) \(up ? "up" : "down")"])
    }

    func disconnect(from host: Int32) async throws {
        try await ip(host, ["link delete \(Self.end.name)"])
    }

    /// With the instance on host a and reached by the client.
    static func withInstance(_ body: (HoldScene) async throws -> Void) async throws {
        try await with { scene in
            try await scene.connect(to: scene.a)
            try NeighbourQuestions.calm(interface.name, of: scene.instance)
            try await scene.setEnd(of: scene.a, up: true)
            for address in ["10.9.0.7", "fd09::7"] {
                try await eventually("the client reaches the instance") {
                    try await scene.asks(address).contains("refused")
                }
            }
            try await body(scene)
        }
    }

    func prepare(on host: Int32) async throws -> PacketHold {
        try await PacketHold.prepare(Self.interface, beside: Self.end, host: host)
    }

    /// The names of the interfaces, and where the host's bridge has the instance's address.
    func state(of host: Int32) async throws -> (links: Set<String>, places: [String]) {
        let links = try await run(host, ["ip", "-o", "link"]).text.split(separator: "\n")
            .compactMap { $0.split(separator: " ").dropFirst().first }
        let table = try await run(host, ["bridge", "fdb", "show", "br", "br0"]).text
        let places = table.split(separator: "\n")
            .filter { $0.hasPrefix(Self.interface.hardwareAddress) }.map(String.init)
        return (Set(links.map { String($0.prefix { $0 != "@" && $0 != ":" }) }), places)
    }

    func ip(_ pid: Int32, _ lines: [String]) async throws {
        let text = lines.joined(separator: "\n") + "\n"
        try await inside(pid, Command("ip", ["-batch", "-"])).check(input: Array(text.utf8))
    }

    func run(_ pid: Int32, _ words: [String]) async throws -> ToolResult {
        try await inside(pid, Command(words[0], Array(words.dropFirst()))).run()
    }

    /// What bash says when the client opens a connection to a port that nobody listens at.
    func asks(_ address: String) async throws -> String {
        let words = ["timeout", "1", "bash", "-c", "exec 3<>/dev/tcp/\(address)/9"]
        return try await run(client, words).errorText
    }

    /// TCP segments that the client has sent again.
    func retransmissions() throws -> Int {
        let lines = try SmallFile.text("/proc/\(client)/net/snmp").split(separator: "\n")
            .filter { $0.hasPrefix("Tcp:") }.map { $0.split(separator: " ") }
        guard lines.count == 2, let place = lines[0].firstIndex(of: "RetransSegs"),
            let count = Int(lines[1][place])
        else { throw GodwitError(.kernelRefused, "the kernel counts no segments") }
        return count
    }

    private func inside(_ pid: Int32, _ command: Command) -> Command {
        LabCommands.network(of: pid, [command.tool] + command.arguments)
    }
}
