import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// `godwit move` between two real hosts: a counting container, real daemons, CRIU, runc and rsync.
@Suite(.timeLimit(.minutes(4))) struct HostMoveTests {
    /// One process: with version 1 cgroups a task born during the freeze can make CRIU's dump
    /// time out.
    private static let counting = """
        import time, itertools
        lines = open('/lines', 'w', buffering=1)
        for n in itertools.count(1):
            lines.write(str(n) + chr(10))
            time.sleep(0.02)
        """

    private func withTrust(_ body: (Lab) async throws -> Void) async throws {
        try await Lab.with { lab in
            try await lab.startDaemons()
            for (source, target) in [("a", "b"), ("b", "a")] where source == "a" {
                let token = try await lab.check(target, ["trust", "add", "host-\(source)"])
                try await lab.check(
                    source,
                    ["remote", "add", "host-\(target)", token.trimmingCharacters(in: .newlines)])
            }
            try await body(lab)
        }
    }

    private func launch(_ lab: Lab, _ options: [String] = []) async throws {
        let root = try await RootFilesystem.services.path()
        try await lab.check(
            "a", ["launch", root, "web"] + options + ["--", "python3", "-c", Self.counting])
        try await eventually("the container counts", log: lab.daemonLog(of: "a")) {
            try await lines(lab, "a").count > 2
        }
    }

    private func lines(_ lab: Lab, _ host: String) async throws -> [String] {
        let result = try await lab.godwit(host, ["exec", "web", "--", "cat", "/lines"])
        return result.text.split(separator: "\n", omittingEmptySubsequences: false)
            .dropLast().map(String.init)
    }

    /// Every line follows from the one before it, and they go on.
    private func expectWhole(_ lab: Lab, on host: String, after count: Int) async throws {
        try await eventually("the container counts on", log: lab.daemonLog(of: host)) {
            try await lines(lab, host).count > count
        }
        let all = try await lines(lab, host)
        #expect(all == (1...all.count).map(String.init))
    }

    @Test func `a container moves there and back twice and loses nothing`() async throws {
        try await withTrust { lab in
            try await launch(lab, ["--address", "\(Lab.address(10))/24", "--bridge", Lab.bridge])
            for _ in 0..<2 {
                for (source, target) in [("a", "b"), ("b", "a")] {
                    let before = try await lines(lab, source).count
                    try await lab.check(source, ["move", "web", "host-\(target):"])
                    try await expectWhole(lab, on: target, after: before)
                    let list = try await lab.check(source, ["list", "--format", "json"])
                    #expect(!list.contains("web"))
                }
            }
        }
    }

    @Test func `a taken name and a missing bridge are refused with cause and cure`() async throws {
        try await withTrust { lab in
            let bridge = ["ip", "link", "add", "only-here", "type", "bridge"]
            try await lab.host("a").check(bridge)
            try await launch(lab, ["--address", "10.9.0.5/24", "--bridge", "only-here"])
            let root = try await RootFilesystem.services.path()
            try await lab.check("b", ["launch", root, "web", "--no-start"])
            let refusal = try await lab.godwit("a", ["move", "web", "host-b:"])
            #expect(refusal.status == .exited(2))
            #expect(refusal.errorText.contains("only-here") && refusal.errorText.contains("→"))
            #expect(refusal.errorText.contains("name"))
            try await expectWhole(lab, on: "a", after: lines(lab, "a").count)
        }
    }

    @Test
    func `a target daemon that is killed leaves the container running, and the next move works`()
        async throws
    {
        try await withTrust { lab in
            try await launch(lab)
            let before = try await lines(lab, "a").count
            async let moving = lab.godwit("a", ["move", "web", "host-b:", "--bandwidth", "1MiB"])
            try await eventually("the volume is on its way", log: lab.daemonLog(of: "b")) {
                let reports = try await lab.check("b", ["migrations", "--format", "json"])
                return reports.contains("perform") || reports.contains("running")
            }
            try await lab.stopDaemon(on: "b", signal: SIGKILL)
            let failed = try await moving
            #expect(!failed.status.isSuccess)
            try await expectWhole(lab, on: "a", after: before)
            try await lab.startDaemon(on: "b")
            let now = try await lines(lab, "a").count
            // Until the target has removed what it had, it refuses the name.
            try await eventually("the next move succeeds", log: lab.daemonLog(of: "b")) {
                try await lab.godwit("a", ["move", "web", "host-b:"]).status.isSuccess
            }
            try await expectWhole(lab, on: "b", after: now)
        }
    }

    @Test func `a token is good once, and garbage leaves the daemon serving`() async throws {
        try await withTrust { lab in
            let token = try await lab.check("b", ["trust", "add", "other"])
                .trimmingCharacters(in: .newlines)
            try await lab.check("a", ["remote", "remove", "host-b"])
            try await lab.check("b", ["remote", "remove", "host-a"])
            try await lab.check("a", ["remote", "add", "host-b", token])
            try await lab.check("a", ["remote", "remove", "host-b"])
            let again = try await lab.godwit("a", ["remote", "add", "host-b", token])
            #expect(again.status == .exited(77), "\(again.errorText)")
            let garbage = "head -c 65536 /dev/urandom > /dev/tcp/10.77.0.2/7443"
            for _ in 0..<5 { _ = try await lab.host("a").run(["bash", "-c", garbage]) }
            try await lab.check("b", ["list"])
        }
    }
}
