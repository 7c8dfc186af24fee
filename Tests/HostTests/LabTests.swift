import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// The lab itself, with `sleep` in the daemon's place.
@Suite(.timeLimit(.minutes(2))) struct HostLabTests {
    @Test func `hosts and client reach each other on both address families`() async throws {
        try await Lab.with { lab in
            let (a, b, client) = (lab.host("a"), lab.host("b"), lab.client)
            for (node, target) in [
                (client, "10.77.0.1"), (client, "10.77.0.2"), (client, "fd77::1"),
                (client, "fd77::2"), (a, "10.77.0.2"), (b, "fd77::9"),
            ] {
                let answered = try await reaches(target, from: node)
                #expect(answered, "\(node.name) to \(target)")
            }
        }
    }

    @Test func `a cut link separates one host and comes back`() async throws {
        try await Lab.with { lab in
            try await lab.setLink(of: lab.host("b"), up: false)
            let crossed = try await reaches("10.77.0.2", from: lab.host("a"))
            let other = try await reaches("10.77.0.1", from: lab.client)
            #expect(!crossed && other)
            try await lab.setLink(of: lab.host("b"), up: true)
            try await eventually("host a reaches host b again") {
                try await reaches("10.77.0.2", from: lab.host("a"))
            }
        }
    }

    @Test func `each host has names, files and processes of its own`() async throws {
        try await Lab.with { lab in
            for host in lab.hosts {
                #expect(try await host.check(["hostname"]) == "host-\(host.name)\n")
                try await host.check(["sh", "-c", "echo \(host.name) > /var/lib/godwit/who"])
                try await host.check(["sh", "-c", "echo \(host.name) > /run/who"])
            }
            for host in lab.hosts {
                let said = try await host.check(["cat", "/var/lib/godwit/who", "/run/who"])
                #expect(said == "\(host.name)\n\(host.name)\n")
                #expect(try await host.check(["cat", "/proc/1/comm"]) == "bash\n")
                let interfaces = try await host.check(["ls", "/sys/class/net"])
                #expect(interfaces.contains("gwbr0") && !interfaces.contains("eth0"))
                #expect(try await host.check(["ls", "/sys/fs/cgroup"]) != "")
            }
        }
    }

    @Test func `a daemon is started, ended and killed`() async throws {
        try await Lab.with { lab in
            for signal in [SIGTERM, SIGKILL] {
                try lab.startService(on: "a", ["sleep", "5000"])
                try await eventually("it runs") { lab.daemonPid(on: "a") != nil }
                try await lab.stopDaemon(on: "a", signal: signal)
                #expect(lab.daemonPid(on: "a") == nil)
            }
        }
    }

    @Test func `an orphan is reaped by the host's first process`() async throws {
        try await Lab.with(hosts: ["a"]) { lab in
            let host = lab.host("a")
            let before = lab.inventory(of: "a")
            try await host.check(["sh", "-c", "sleep 0.05 >/dev/null 2>&1 & exit 0"])
            try await eventually("neither process nor zombie is left") {
                lab.inventory(of: "a") == before && zombies(below: host.path("/proc")).isEmpty
            }
        }
    }

    @Test func `what a host leaves behind is listed`() async throws {
        try await Lab.with(hosts: ["a"]) { lab in
            let host = lab.host("a")
            let group = lab.cgroupParent(of: "a")
            let before = lab.inventory(of: "a")
            try await host.check([
                "sh", "-c",
                """
                mkdir -p /run/left && mount -t tmpfs left /run/left
                ip link add left0 type bridge
                find /sys/fs/cgroup -maxdepth 1 -mindepth 1 -type d -exec mkdir -p {}/\(group) \\;
                unshare --net sleep 4999 >/dev/null 2>&1 &
                """,
            ])
            try await eventually("the process has its own network") {
                let left = lab.inventory(of: "a").leftBehind(since: before)
                return left.contains { $0.hasSuffix("of its own") }
            }
            let left = lab.inventory(of: "a").leftBehind(since: before)
            for sign in [
                "/run/left tmpfs", "interface left0", "cgroup /sys/fs",
                "sleep 4999 in a network namespace of its own",
            ] {
                #expect(left.contains { $0.contains(sign) }, "\(sign) in \(left)")
            }
        }
    }

    @Test func `nothing is left of a lab that was taken down`() async throws {
        let id = try await Lab.with { lab in
            try lab.startService(on: "a", ["sleep", "4998"])
            try await lab.host("a").check([
                "sh", "-c",
                "for d in /sys/fs/cgroup/*/; do mkdir -p $d/\(lab.cgroupParent(of: "a"))/x; done",
            ])
            #expect(!LabCgroups.find(prefix: Lab.prefix(of: lab.id)).isEmpty)
            return lab.id
        }
        expectNothingLeft(of: id)
    }

    @Test func `the next lab removes what a killed one left`() async throws {
        let lab = try await Lab.up(hosts: ["a"])
        try lab.startService(on: "a", ["sleep", "4997"])
        // A mark of a process that is gone, as after a kill -9.
        let gone = "4194304 1 somewhere\n"
        try Data(gone.utf8).write(to: URL(filePath: lab.directory + "/owner"))
        try await Lab.sweep()
        expectNothingLeft(of: lab.id)
    }

    @Test func `a lab whose owner lives is left alone`() async throws {
        try await Lab.with(hosts: ["a"]) { lab in
            try await Lab.sweep()
            #expect(try await lab.host("a").check(["hostname"]) == "host-a\n")
        }
    }
}

private func reaches(_ address: String, from node: LabNode) async throws -> Bool {
    // The lab's images need no ping: bash opens a connection, and a refusal is an answer too.
    let script = "exec 3<>/dev/tcp/\(address)/9"
    let result = try await node.run(["timeout", "1", "bash", "-c", script], seconds: 5)
    return result.errorText.contains("refused")
}

private func zombies(below proc: String) -> [Int32] {
    pids(below: proc).filter { startTime(of: $0, proc: proc) == nil }
}

private func expectNothingLeft(of id: String) {
    #expect(!FileManager.default.fileExists(atPath: Lab.directory(of: id)))
    #expect(LabCgroups.find(prefix: Lab.prefix(of: id)).isEmpty)
    let strays = pids(below: "/proc").filter { pid in
        commandLine(of: pid).contains { $0.contains("godwit-lab-\(id)") }
    }
    #expect(strays.isEmpty)
}
