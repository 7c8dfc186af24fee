import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Strangers at the daemon's ports: who is not trusted is refused, and nonsense harms nobody.
@Suite(.timeLimit(.minutes(4))) struct HostPeerTests {
    private static let port = "https://10.77.0.2:7443"

    private func expectServing(_ moving: MoveLab) async throws {
        try await moving.lab.check("b", ["list"])
        try await moving.launch()
        try await moving.lab.check("a", ["move", "web", "host-b:"])
    }

    @Test func `a token is good once`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await lab.check("a", ["remote", "remove", "host-b"])
            try await lab.check("b", ["remote", "remove", "host-a"])
            let token = try await lab.check("b", ["trust", "add", "other"])
                .trimmingCharacters(in: .newlines)
            try await lab.check("a", ["remote", "add", "host-b", token])
            try await lab.check("a", ["remote", "remove", "host-b"])
            let again = try await lab.godwit("a", ["remote", "add", "host-b", token])
            #expect(again.status == .exited(77), "\(again.errorText)")
        }
    }

    @Test func `a peer without a trusted certificate is refused`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await moving.launch()
            // Host b forgets host a: from now on a's certificate is a stranger's.
            try await lab.check("b", ["trust", "remove", "host-a"])
            let clean = lab.inventory(of: "b")
            let refused = try await moving.move()
            #expect(!refused.status.isSuccess)
            try await moving.whole(on: "a", after: moving.lines("a").count)
            let left = try await moving.leftOnTarget(since: clean)
            #expect(left == [])
            // No certificate at all, and one made by a stranger.
            let key = "/run/stranger"
            try await lab.host("a").check(
                [
                    "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
                    "-keyout", "\(key).key", "-out", "\(key).pem", "-days", "1",
                ])
            for options in [[], ["--cert", "\(key).pem", "--key", "\(key).key"]] {
                let answer = try await lab.host("a").run(
                    ["curl", "-sk", "--max-time", "5"] + options + [Self.port + "/1.0/instances"])
                #expect(!answer.text.contains("web") && !answer.text.contains("metadata"))
            }
            try await lab.check("b", ["list"])
        }
    }

    @Test func `garbage and oversized requests on every endpoint leave the daemon serving`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            let node = lab.host("a")
            let garbage = "head -c 65536 /dev/urandom > /dev/tcp/10.77.0.2/7443"
            for _ in 0..<5 { _ = try await node.run(["bash", "-c", garbage]) }
            let inTLS =
                "head -c 3000000 /dev/urandom | timeout 5 openssl s_client -quiet -connect "
                + "10.77.0.2:7443 -alpn"
            for name in ["godwit/1", "godwit-token/1", "http/1.1", "h2"] {
                _ = try await node.run(["bash", "-c", "\(inTLS) \(name) >/dev/null 2>&1"])
            }
            let socket = ["curl", "-s", "--max-time", "10", "--unix-socket", Lab.socket]
            let large = "head -c 9000000 /dev/zero | tr '\\\\0' x >/run/large"
            try await lab.host("b").check(["sh", "-c", large])
            for path in ["instances", "migrations", "operations", "trust", "remotes"] {
                for body in ["@/run/large", "{\"name\": [[[", "null", "\u{1}\u{2}"] {
                    let words =
                        socket + ["-o", "/dev/null", "-w", "%{http_code}", "-X", "POST"]
                        + ["--data-binary", body, "http://host/1.0/\(path)"]
                    let answer = try await lab.host("b").run(words)
                    #expect(!answer.text.hasPrefix("2"), "POST \(path): \(answer.text)")
                }
            }
            let raw =
                "import os, socket; s = socket.socket(socket.AF_UNIX); "
                + "s.connect('\(Lab.socket)'); s.sendall(os.urandom(65536))"
            _ = try await lab.host("b").run(["python3", "-c", raw])
            try await expectServing(moving)
        }
    }
}
