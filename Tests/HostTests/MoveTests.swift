import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// `godwit move` between two real hosts: a counting container, real daemons, CRIU, runc and rsync.
@Suite(.timeLimit(.minutes(4))) struct HostMoveTests {
    @Test func `a container moves there and back twice and loses nothing`() async throws {
        try await MoveLab.with { moving in
            let options = ["--address", "\(Lab.address(10))/24", "--bridge", Lab.bridge]
            try await moving.launch(options)
            for _ in 0..<2 {
                for (source, target) in [("a", "b"), ("b", "a")] {
                    let before = try await moving.lines(source).count
                    try await moving.lab.check(source, ["move", "web", "host-\(target):"])
                    try await moving.whole(on: target, after: before)
                    let list = try await moving.lab.check(source, ["list", "--format", "json"])
                    #expect(!list.contains("web"))
                }
            }
        }
    }

    /// A master as root of the instance, workers as www-data, all in a user namespace; 8 clients
    /// that keep their connections ask without a pause.
    @Test func `nginx moves there and back with requests in flight and none of them fails`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await WebServer.launch("web", address: Lab.address(10), in: lab)
            async let load = WebServer.load(
                address: Lab.address(10), connections: 8, seconds: 10, in: lab)
            for (source, target) in [("a", "b"), ("b", "a")] {
                try await Task.sleep(for: .seconds(1))
                try await lab.check(source, ["move", "web", "host-\(target):"])
            }
            let said = try await load
            #expect(!said.contains("Socket errors") && !said.contains("Non-2xx"), "\(said)")
            let words = said.split(separator: "\n").first { $0.contains("requests in") }
            let count = words?.split(separator: " ").first.flatMap { Int($0) } ?? 0
            #expect(count > 1_000, "\(said)")
        }
    }

    @Test func `an instance that runs is not deleted without force`() async throws {
        try await MoveLab.with { moving in
            try await moving.launch()
            let refusal = try await moving.lab.godwit("a", ["delete", "web"])
            #expect(!refusal.status.isSuccess)
            try await moving.whole(on: "a", after: moving.lines("a").count)
            try await moving.lab.check("a", ["delete", "web", "--force"])
        }
    }
}
