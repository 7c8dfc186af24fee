import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Named volumes that move with containers that write to them all the time.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(4)))
struct HostVolumeMoveTests {
    private static let volumes = "/var/lib/godwit/pools/default/volumes"

    private func names(_ host: String, _ lab: Lab) async throws -> [Substring] {
        try await lab.host(host).check(["ls", Self.volumes]).split(separator: "\n")
    }

    @Test func `a container writes to its volume all through a move and back, no record lost`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await lab.check("a", ["volume", "create", "data"])
            try await withRoot(RecordProgram.makeRoot) { root in
                try await lab.check(
                    "a",
                    ["launch", root, "web", "--volume", "data:/data", "--"]
                        + [RecordProgram.path])
            }
            var records = 0
            for (source, target) in [("a", "b"), ("b", "a")] {
                let moved = try await moveRecords(
                    lab, from: source, to: target, after: records,
                    planned: ["send volume custom/default/data by rsync", "mount /data: move"])
                #expect(moved.report.mounts == ["/data": .move])
                records = moved.records
                #expect(try await names(target, lab) == ["custom_data", "web"])
                #expect(try await names(source, lab) == [])
                let here = try await lab.check(target, ["volume", "info", "data"])
                #expect(here.contains("web at /data"))
                let gone = try await lab.godwit(source, ["volume", "info", "data"])
                #expect(gone.status == .exited(66))
            }
            try await lab.check("a", ["delete", "web", "--force"])
            #expect(try await names("a", lab) == ["custom_data"])
            try await lab.check("a", ["volume", "delete", "data"])
            #expect(try await names("a", lab) == [])
        }
    }

    /// rsync comes to the large file last, so that records have long been sent by the end of it.
    @Test func `what is written while files travel follows before the freeze`() async throws {
        try await MoveLab.with { moving in
            try await withRoot { root in
                try await RecordProgram.makeRoot(at: root)
                try await Command(
                    "bash", ["-c", "head -c 32M /dev/urandom >$1/zz", "bash", root]
                ).check()
            } _: { root in
                try await moving.lab.check(
                    "a", ["launch", root, "web", "--", RecordProgram.path])
            }
            let report = try await moving.lab.move(
                "web", from: "a", to: "b", ["--bandwidth", "10MiB"])
            let answer = try await RecordProgram.verify("web", on: "b", of: moving.lab)
            #expect(answer.isWhole, "\(answer)")
            figure("\(answer.records) records", of: report)
            let (passes, delta) = (report.bytes["passes"] ?? 0, report.bytes["delta"] ?? 0)
            #expect(passes > delta && delta > 0)
        }
    }

    @Test func `a mapped file of a volume is what memory says, by btrfs as well`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            for host in ["a", "b"] {
                try await lab.check(host, ["pool", "create", "fast", "btrfs", "size=1GiB"])
            }
            try await lab.check("a", ["volume", "create", "data"])
            try await lab.check("a", ["volume", "create", "fast/quick"])
            try await withRoot(MappedProgram.makeRoot) { root in
                for (name, volume) in [("web", "data"), ("shop", "fast/quick")] {
                    try await lab.check(
                        "a",
                        ["launch", root, name, "--volume", "\(volume):/data", "--"]
                            + [MappedProgram.path])
                }
            }
            for name in ["web", "shop"] {
                let before = try await MappedProgram.verify(name, on: "a", of: lab)
                figure(name, of: try await lab.move(name, from: "a", to: "b"))
                #expect(try await MappedProgram.verify(name, on: "b", of: lab) > before)
            }
        }
    }

    @Test func `files of a volume have the ids that its instance has on the target`()
        async throws
    {
        try await MoveLab.with(daemonWords: ["b": ["--id-range", "3000000:65536"]]) { moving in
            let lab = moving.lab
            try await lab.check("a", ["volume", "create", "data"])
            try await withRoot(MappedProgram.makeRoot) { root in
                try await lab.check(
                    "a",
                    ["launch", root, "web", "--volume", "data:/data", "--"]
                        + [MappedProgram.path])
            }
            var count = 0
            for (source, target, first) in [("a", "b", 3_000_000), ("b", "a", 1_000_000)] {
                let before = try await MappedProgram.verify("web", on: source, of: lab)
                #expect(before > count)
                _ = try await lab.move("web", from: source, to: target)
                count = try await MappedProgram.verify("web", on: target, of: lab)
                #expect(count > before)
                let tree = Self.volumes + "/custom_data/rootfs"
                let owners = try await lab.host(target).check(
                    ["stat", "-c", "%u %g", tree, tree + "/map", tree + "/log"])
                let line = "\(first) \(first)"
                #expect(owners.split(separator: "\n").allSatisfy { $0 == line }, "\(owners)")
                let info = try await lab.check(target, ["volume", "info", "data"])
                #expect(info.contains("from \(first) on the host"))
            }
        }
    }

    @Test func `a move that fails leaves all at the source and nothing on the target`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await lab.check("a", ["volume", "create", "data"])
            try await withRoot(RecordProgram.makeRoot) { root in
                let script = "sleep 100000 & exec \(RecordProgram.path)"
                try await lab.check(
                    "a",
                    ["launch", root, "web", "--volume", "data:/data", "--"]
                        + ["/bin/busybox", "sh", "-c", script])
            }
            let clean = lab.inventory(of: "b")
            try moving.limitTasks("1")
            let failed = try await moving.move()
            #expect(failed.status == .exited(71), "\(failed.errorText)")
            try moving.limitTasks("max")
            try await expectUnharmed(moving, since: clean)

            let killed = try await moving.move(meeting: .sendingVolume, ["--bandwidth", "4MiB"]) {
                try await lab.stopDaemon(on: "b", signal: SIGKILL)
            }
            #expect(!killed.status.isSuccess)
            try await lab.startDaemon(on: "b")
            try await expectUnharmed(moving, since: clean)

            _ = try await lab.move("web", from: "a", to: "b")
            #expect(try await RecordProgram.verify("web", on: "b", of: lab).isWhole)
            #expect(try await names("a", lab) == [])
        }
    }

    private func expectUnharmed(_ moving: MoveLab, since clean: LabInventory) async throws {
        let left = try await moving.leftOnTarget(since: clean)
        #expect(left == [])
        let volumes = try await moving.lab.check("b", ["volume", "list", "--format", "json"])
        #expect(volumes.filter { !$0.isWhitespace } == "[]")
        #expect(try await names("a", moving.lab) == ["custom_data", "web"])
        let answer = try await RecordProgram.verify("web", on: "a", of: moving.lab)
        #expect(answer.isWhole && answer.records > 0, "\(answer)")
    }
}

/// A root filesystem for the time of the body.
func withRoot(
    _ make: (String) async throws -> Void, _ body: (String) async throws -> Void
) async throws {
    let path = NSTemporaryDirectory() + "godwit-root-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await make(path)
    try await body(path)
}
