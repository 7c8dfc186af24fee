import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Volumes that move between btrfs pools, and between these and others, with the real daemon.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(3)))
struct HostBtrfsMoveTests {
    @Test func `a container that writes moves between btrfs pools and back without a record lost`()
        async throws
    {
        try await MoveLab.with { moving in
            let lab = moving.lab
            for host in ["a", "b"] {
                try await lab.check(host, ["pool", "create", "fast", "btrfs", "size=1GiB"])
            }
            try await withRoot(RecordProgram.makeRoot) { root in
                try await lab.check(
                    "a", ["launch", root, "web", "--pool", "fast", "--", RecordProgram.path])
            }
            var records = 0
            for (source, target) in [("a", "b"), ("b", "a")] {
                records = try await moveRecords(
                    lab, from: source, to: target, after: records,
                    planned: ["what changed in volume web by btrfs"]
                ).records
                let beside = "/var/lib/godwit/pools/fast/volumes"
                // The way back builds upon the base; nothing else is left of the move.
                let left = try await lab.host(target).check(["ls", "\(beside)/web"])
                let names = left.split(separator: "\n").map { $0.prefix { $0 != "-" } }
                #expect(names == ["arrival", "base", "rootfs"], "\(left)")
                #expect(try await lab.host(source).check(["ls", beside]) == "")
            }
            // Found again by the next daemon, and removed with the last instance.
            try await lab.stopDaemon(on: "a")
            try await lab.startDaemon(on: "a")
            #expect(try await RecordProgram.verify("web", on: "a", of: lab).isWhole)
            try await lab.check("a", ["pool", "grow", "fast", "2GiB"])
            try await lab.check("a", ["delete", "web", "--force"])
            try await lab.check("a", ["pool", "delete", "fast"])
            let left = try await lab.host("a").check(["ls", "/var/lib/godwit/pools"])
            #expect(!left.contains("fast"))
        }
    }

    @Test func `a container moves from btrfs to a directory and back`() async throws {
        try await MoveLab.with { moving in
            let lab = moving.lab
            try await lab.check("a", ["pool", "create", "fast", "btrfs", "size=1GiB"])
            try await lab.check("b", ["pool", "create", "fast", "directory"])
            try await moving.launch(["--pool", "fast"])
            for (source, target) in [("a", "b"), ("b", "a")] {
                let before = try await moving.lines(source).count
                _ = try await lab.move("web", from: source, to: target)
                try await moving.whole(on: target, after: before)
            }
        }
    }
}
