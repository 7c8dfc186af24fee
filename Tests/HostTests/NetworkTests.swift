import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// What an instance's network is on both hosts of a move.
@Suite(.timeLimit(.minutes(4))) struct HostNetworkTests {
    @Test func `a bridge has another name on the target, and the connection lives on`()
        async throws
    {
        try await MoveLab.with { lab in
            try await lab.host("b").check(
                ["ip", "link", "set", "dev", Lab.bridge, "name", "lan0"])
        } _: { moving in
            let address = Lab.address(10)
            try await moving.serve(["--address", "\(address)/24", "--bridge", Lab.bridge])
            let refusal = try await moving.move()
            #expect(refusal.status == .exited(2))
            #expect(refusal.errorText.contains("--network \(Lab.bridge)=OTHER"))
            let answers = try await moving.asking(address, 80) {
                let there = try await moving.move(["--network", "\(Lab.bridge)=lan0"])
                #expect(there.status.isSuccess, "\(there.errorText)")
                try await moving.lab.check(
                    "b", ["move", "web", "host-a:", "--network", "lan0=\(Lab.bridge)"])
            }
            #expect(answers > 50)
            #expect(try await moving.lab.check("a", ["info", "web"]).contains(Lab.bridge))
        }
    }

    @Test func `an address that somebody else answers for is refused before the freeze`()
        async throws
    {
        try await MoveLab.with { moving in
            // Beside each other the instance and a stranger, whom only host b's network knows.
            let bridge = ["ip", "link", "add", "twin0", "type", "bridge"]
            for host in ["a", "b"] {
                try await moving.lab.host(host).check(bridge)
                try await moving.lab.host(host).check(["ip", "link", "set", "twin0", "up"])
            }
            let stranger = """
                ip netns add stranger
                ip link add twin1 type veth peer name eth0 netns stranger
                ip link set twin1 master twin0 up
                ip -n stranger address add 10.99.0.5/24 dev eth0
                ip -n stranger link set eth0 up
                """
            try await moving.lab.host("b").check(["sh", "-ec", stranger])
            try await moving.serve(["--address", "10.99.0.5/24", "--bridge", "twin0"])
            let refusal = try await moving.move()
            #expect(refusal.status == .exited(2))
            #expect(refusal.errorText.contains("10.99.0.5 is in use"), "\(refusal.errorText)")
            let report = try #require(try await moving.report("a"))
            #expect(report.downtime.isEmpty)
            try await moving.lab.host("b").check(["ip", "netns", "delete", "stranger"])
            let second = try await moving.move()
            #expect(second.status.isSuccess, "\(second.errorText)")
        }
    }

    @Test func `routes and the size of frames are as they were told, also after a move`()
        async throws
    {
        try await MoveLab.with { moving in
            let interface =
                "bridge=\(Lab.bridge),address=\(Lab.address(10))/24,mtu=1400,"
                + "route=10.200.0.0/16@\(Lab.address(9))"
            try await moving.serve(["--network", interface])
            for host in ["a", "b"] {
                let routes = try await moving.lab.check(
                    host, ["exec", "web", "--", "cat", "/proc/net/route"])
                // 10.200.0.0 by 10.77.0.9 with 255.255.0.0, in the kernel's hexadecimal.
                #expect(
                    routes.contains { $0.isNewline } && routes.contains("0000C80A\t09004D0A"))
                let size = try await moving.lab.check(
                    host, ["exec", "web", "--", "cat", "/sys/class/net/eth0/mtu"])
                #expect(size == "1400\n")
                if host == "a" { try await moving.lab.check("a", ["move", "web", "host-b:"]) }
            }
        }
    }

    /// The instance is in a network of its own on each host; clients know an address that follows.
    @Test func `a published port follows the instance, and the connections through it live on`()
        async throws
    {
        try await MoveLab.with(prepare: Self.innerNetworks) { moving in
            let lab = moving.lab
            let clean = ["a", "b"].map { lab.inventory(of: $0) }
            let outside = Lab.address(50)
            try await moving.serve(Self.behindPort)
            let answers = try await moving.asking(outside, 8080) {
                let first = try await moving.move()
                #expect(first.status.isSuccess, "\(first.errorText)")
                #expect(try await holder(of: outside, in: lab) == ["b"])
                try await lab.check("b", ["move", "web", "host-a:"])
                #expect(try await holder(of: outside, in: lab) == ["a"])
            }
            #expect(answers > 50)
            // Nobody else's, and the same port is not given twice.
            let root = try await RootFilesystem.tiny.path()
            let twice = try await lab.godwit(
                "a",
                [
                    "launch", root, "twin", "--address", "10.99.0.6/24", "--bridge", "inner0",
                    "--publish", "8080:80",
                ])
            #expect(twice.status == .exited(2) && twice.errorText.contains("8080"))
            try await lab.check("a", ["delete", "web", "--force"])
            #expect(try await holder(of: outside, in: lab) == [])
            for (host, before) in zip(["a", "b"], clean) {
                let rules = try await lab.host(host).check(["nft", "list", "tables"])
                #expect(!rules.contains("gw"), "\(rules)")
                let kept = try await lab.host(host).check(["conntrack", "-L"])
                #expect(!kept.contains("10.99.0.5"), "\(kept)")
                let left = lab.inventory(of: host).leftBehind(since: before)
                    .filter { !$0.hasPrefix("cgroup") && !$0.hasPrefix("process") }
                #expect(left == [])
            }
        }
    }

    @Test func `a client that only listens behind a published port hears every line of the move`()
        async throws
    {
        try await MoveLab.with(prepare: Self.innerNetworks) { moving in
            try await moving.serve(Self.behindPort)
            let heard = try await moving.asking(Lab.address(50), 8080, isTold: true) {
                for (source, target) in [("a", "b"), ("b", "a")] {
                    try await moving.lab.check(source, ["move", "web", "host-\(target):"])
                }
            }
            #expect(heard > 20)
        }
    }

    @Test func `a move that fails leaves the published port where it was`() async throws {
        try await MoveLab.with(prepare: Self.innerNetworks) { moving in
            let lab = moving.lab
            let outside = Lab.address(50)
            try await moving.serve(Self.behindPort)
            let answers = try await moving.asking(outside, 8080) {
                // The restore finds no room for its tasks.
                try moving.limitTasks("1")
                let failed = try await moving.move()
                #expect(!failed.status.isSuccess)
                try moving.limitTasks("max")
                #expect(try await holder(of: outside, in: lab) == ["a"])
                // Until the target has removed what it had, it refuses the name.
                try await eventually("the next move succeeds", log: lab.daemonLog(of: "b")) {
                    try await moving.move().status.isSuccess
                }
            }
            #expect(answers > 50)
        }
    }

    /// A network on each host that no other machine is in, and a host that forwards.
    private static func innerNetworks(_ lab: Lab) async throws {
        for host in ["a", "b"] {
            let inner = """
                ip link add inner0 type bridge
                ip address add 10.99.0.1/24 dev inner0
                ip link set inner0 up
                sysctl -qw net.ipv4.ip_forward=1
                """
            try await lab.host(host).check(["sh", "-ec", inner])
        }
    }

    private static let behindPort = [
        "--address", "10.99.0.5/24", "--gateway", "10.99.0.1", "--bridge", "inner0", "--publish",
        "\(Lab.address(50)):8080:80",
    ]

    /// The hosts that have the address.
    private func holder(of address: String, in lab: Lab) async throws -> [String] {
        var found: [String] = []
        for host in ["a", "b"] {
            let text = try await lab.host(host).check(["ip", "-o", "address"])
            if text.contains(" \(address)/") { found.append(host) }
        }
        return found
    }
}
