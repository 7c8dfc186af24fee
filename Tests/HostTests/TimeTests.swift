import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// What an instance sees of time when it moves between hosts that were booted at different times,
/// and when it sleeps.
@Suite(.timeLimit(.minutes(4))) struct HostTimeTests {
    /// Host a's clocks since boot stand so many seconds before host b's.
    private static let difference = 100_000

    @Test func `the instance's clocks go on and its timers fire, wherever it was booted`()
        async throws
    {
        let root = FileManager.default.temporaryDirectory.path + "/godwit-time-\(getpid())"
        defer { try? SmallFile.remove(root) }
        try await Oracle.makeRoot(at: root)
        try await TimerProgram.build(into: root)
        try await Lab.with { lab in
            // The daemon's time namespace is what its host would be after another boot.
            let old = [
                "unshare", "--time", "--monotonic", "\(Self.difference)", "--boottime",
                "\(Self.difference)", "--",
            ]
            try lab.startService(on: "a", old + lab.daemonWords(of: "a"))
            try lab.startService(on: "b", lab.daemonWords(of: "b"))
            for host in ["a", "b"] { try await lab.waitUntilReady(host) }
            try await lab.introduce()
            let command = [TimerProgram.path] + TimerProgram.kinds
            try await lab.check("a", ["launch", root, "web", "--"] + command)
            try await observe(lab)
        }
    }

    private func observe(_ lab: Lab) async throws {
        func read(_ host: String, _ file: String) throws -> String {
            let pool = "/var/lib/godwit/pools/default/volumes/web/rootfs"
            return try SmallFile.text(lab.host(host).path(pool + file))
        }
        func fired(_ host: String) -> [Int] {
            TimerProgram.kinds.map { kind in
                (try? read(host, "/late-\(kind)")).flatMap { TimerRecord(text: $0)?.fired } ?? 0
            }
        }
        try await eventually("all timers have fired") { fired("a").allSatisfy { $0 > 3 } }
        var first: Int64?
        for (source, target) in [("a", "b"), ("b", "a"), ("a", "b"), ("b", "b")] {
            let before = fired(source)
            if source == target {
                try await lab.check(source, ["stop", "--stateful", "web"])
                try await lab.check(source, ["start", "web"])
            } else {
                try await lab.check(source, ["move", "web", "host-\(target):"])
            }
            func waiting() -> [String] {
                zip(TimerProgram.kinds, zip(before, fired(target)))
                    .filter { $1.1 <= $1.0 + 2 }.map(\.0)
            }
            _ = try? await eventually("", within: 15) { waiting().isEmpty }
            #expect(waiting() == [], "timers that no longer fire on host \(target)")
            let clocks = ClockRecord(text: try read(target, "/clocks"))
            first = first ?? clocks.readings.first?.monotonic
            #expect(clocks.readings.count > 10)
            // No clock steps back, and none jumps by more than the wall clock has gone on.
            #expect(clocks.faults(tolerance: .seconds(1)) == [])
        }
        // Without an offset it would be host b's by now.
        #expect(first.map { $0 > Int64(Self.difference) * 1_000_000_000 } == true)
        for kind in TimerProgram.kinds {
            let timer = try #require(TimerRecord(text: read("b", "/late-\(kind)")), "\(kind)")
            #expect(timer.late.allSatisfy { $0 < Double(Self.difference) * 500 }, "\(kind)")
        }
    }
}
