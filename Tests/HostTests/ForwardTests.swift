import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// A move to a host that is not in the instance's network.
@Suite(.timeLimit(.minutes(4))) struct HostForwardTests {
    /// Host a's network is its own: nothing but the tunnel leads there from host b. The client is
    /// in it through a namespace of host a.
    private func withNetworkOfItsOwn(_ body: (MoveLab) async throws -> Void) async throws {
        try await MoveLab.with { lab in
            let bridge = "ip link add only0 type bridge; ip link set only0 up"
            for host in ["a", "b"] { try await lab.host(host).check(["sh", "-ec", bridge]) }
            let client = """
                ip netns add near
                ip link add near1 type veth peer name eth0 netns near
                ip link set near1 master only0 up
                ip -n near address add 10.98.0.1/24 dev eth0
                ip -n near link set eth0 up
                """
            try await lab.host("a").check(["sh", "-ec", client])
        } _: { moving in
            try await moving.serve(["--address", "10.98.0.5/24", "--bridge", "only0"])
            try await eventually("the server answers", log: moving.lab.daemonLog(of: "a")) {
                try await isNear(moving)
            }
            try await body(moving)
        }
    }

    @Test func `without a common network traffic follows the instance through a tunnel`()
        async throws
    {
        try await withNetworkOfItsOwn { moving in
            let lab = moving.lab
            let asker = ["python3", "-c", MoveLab.asker, "10.98.0.5", "80"]
            async let said = lab.host("a").run(
                ["ip", "netns", "exec", "near"] + asker, seconds: 100)
            try await eventually("the client asks") {
                try await lab.host("a").run(["test", "-e", "/run/asking"]).status.isSuccess
            }
            let there = try await moving.move(["--forward", "1h"])
            #expect(there.status.isSuccess, "\(there.errorText)")
            for (host, way) in [("a", "to"), ("b", "from")] {
                let list = try await lab.check(host, ["forward", "list"])
                #expect(list.contains("web") && list.contains(" \(way) "), "\(list)")
            }
            // New connections, too, also after a restart of both daemons.
            #expect(try await isNear(moving))
            for host in ["a", "b"] {
                try await lab.stopDaemon(on: host, signal: SIGKILL)
                try await lab.startDaemon(on: host)
            }
            #expect(try await isNear(moving))
            // Back to where it came from, over the bridge itself.
            try await lab.check("b", ["move", "web", "host-a:"])
            #expect(try await isNear(moving))
            try await lab.host("a").check(["touch", "/run/stop"])
            let words = try await said
            #expect(words.status.isSuccess, "\(words.errorText)")
        }
    }

    @Test func `a person ends it on both hosts, and nothing of it is left`() async throws {
        try await withNetworkOfItsOwn { moving in
            let lab = moving.lab
            try await lab.check("a", ["stop", "web", "--force"])
            let clean = ["a", "b"].map { lab.inventory(of: $0) }
            try await lab.check("a", ["start", "web"])
            let there = try await moving.move(["--forward", "1h"])
            #expect(there.status.isSuccess, "\(there.errorText)")
            for host in ["a", "b"] { try await lab.check(host, ["forward", "end", "web"]) }
            let ports = try await lab.host("b").check(
                ["ip", "-o", "link", "show", "master", "only0"])
            #expect(ports.contains("gw"), "the instance is a port of the target's own bridge now")
            for host in ["a", "b"] {
                #expect(try await lab.check(host, ["forward", "list"]).contains("no traffic"))
            }
            #expect(try await !isNear(moving))
            try await lab.check("b", ["delete", "web", "--force"])
            for (host, before) in zip(["a", "b"], clean) {
                let left = lab.inventory(of: host).leftBehind(since: before)
                    .filter { $0.hasPrefix("interface") }
                #expect(left == [])
            }
        }
    }

    @Test func `forwarding ends when its time is over, and a move that fails leaves no tunnel`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.serve(
                ["--address", "\(Lab.address(10))/24", "--bridge", Lab.bridge])
            let clean = ["a", "b"].map { lab.inventory(of: $0) }
            try moving.limitTasks("1")
            let failed = try await moving.move(["--forward", "1h"])
            #expect(!failed.status.isSuccess)
            try moving.limitTasks("max")
            for (host, before) in zip(["a", "b"], clean) {
                try await eventually("host \(host) has no tunnel") {
                    lab.inventory(of: host).leftBehind(since: before)
                        .filter { $0.hasPrefix("interface") } == []
                }
            }
            // Until the target has removed what it had, it refuses the name.
            try await eventually("the next move succeeds", log: lab.daemonLog(of: "b")) {
                try await moving.move(["--forward", "2"]).status.isSuccess
            }
            for host in ["a", "b"] {
                try await eventually("forwarding ends on host \(host)") {
                    try await lab.check(host, ["forward", "list"]).contains("no traffic")
                }
            }
            // Both are in one network here: it is reached without a tunnel, too.
            _ = try await moving.asking(Lab.address(10), 80) {}
        }
    }

    /// Whether a new connection from the network that the instance has left is answered.
    private func isNear(_ moving: MoveLab) async throws -> Bool {
        let probe = "exec 3<>/dev/tcp/10.98.0.5/80; echo '?' >&3; read -r number <&3; echo $number"
        let words = ["ip", "netns", "exec", "near", "timeout", "5", "bash", "-c", probe]
        return try await moving.lab.host("a").run(words).text == "1\n"
    }
}
