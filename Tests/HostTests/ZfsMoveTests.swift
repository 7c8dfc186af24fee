import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Volumes that move between zfs pools with the real daemon, each host with a zfs-fuse of its own.
@Suite(
    .enabled(if: getuid() == 0), .disabled(if: ZfsFuse.obstacle != nil, "zfs-fuse cannot run here"),
    .disabled(if: TestedZfs.isInKernel, "the hosts would share the kernel's zpools"),
    .timeLimit(.minutes(3)))
struct HostZfsMoveTests {
    @Test func `a container that writes moves between zfs pools and back without a record lost`()
        async throws
    {
        try await MoveLab.with(prepare: { lab in
            for host in lab.hosts { try await ZfsFuse.start(on: host) }
        }) { moving in
            let lab = moving.lab
            for host in ["a", "b"] {
                try await lab.check(host, ["pool", "create", "tank", "zfs", "size=1GiB"])
            }
            try await withRoot(RecordProgram.makeRoot) { root in
                try await lab.check(
                    "a", ["launch", root, "web", "--pool", "tank", "--", RecordProgram.path])
            }
            var records = 0
            for (source, target) in [("a", "b"), ("b", "a")] {
                // Snapshots that go along leave the volume itself to rsync.
                if source == "b" { try await lab.check("b", ["snapshot", "web", "first"]) }
                records = try await moveRecords(
                    lab, from: source, to: target, after: records,
                    planned: ["what changed in volume web by zfs"]
                ).records
                let kept = source == "b" ? ["web/rootfs@godwit-snapshot-first"] : []
                let own = try await names(on: target, of: lab).filter { $0 != ".kept" }
                #expect(own == ["web", "web/rootfs"] + kept)
                // A copy stays, with its snapshots.
                let copy = try await names(on: source, of: lab).map { $0.split(separator: "/") }
                #expect(copy.allSatisfy { $0[0] == ".kept" } && copy.count == 3 + kept.count)
            }
            // Found again by the next daemon, and removed with the last instance.
            try await lab.stopDaemon(on: "a")
            try await lab.startDaemon(on: "a")
            #expect(try await RecordProgram.verify("web", on: "a", of: lab).isWhole)
            try await lab.check("a", ["pool", "grow", "tank", "2GiB"])
            try await lab.check("a", ["delete", "web", "--force"])
            try await lab.check("a", ["pool", "delete", "tank"])
            let left = try await lab.host("a").check(["ls", "/var/lib/godwit/pools"])
            #expect(!left.contains("tank"))
        }
    }

    /// Datasets and snapshots below the pool's volumes.
    private func names(on host: String, of lab: Lab) async throws -> [String] {
        let volumes = "godwit-tank/volumes"
        return try await lab.host(host).check([
            "zfs", "list", "-H", "-r", "-t", "filesystem,snapshot", "-o", "name", volumes,
        ]).split(separator: "\n").filter { $0.hasPrefix(volumes + "/") }
            .map { String($0.dropFirst(volumes.count + 1)) }
    }
}
