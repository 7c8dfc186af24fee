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

    /// zfs-fuse has no idmapped mounts: files are given away when all have come.
    @Test func `users are the same inside where the target has other host ids, there and back`()
        async throws
    {
        let volume = "/var/lib/godwit/pools/tank/volumes/web/rootfs"
        try await MoveLab.with(
            daemonWords: ["b": ["--id-range", "3000000:65536"]],
            prepare: { lab in for host in lab.hosts { try await ZfsFuse.start(on: host) } }
        ) { moving in
            let lab = moving.lab
            for host in ["a", "b"] {
                try await lab.check(host, ["pool", "create", "tank", "zfs", "size=2GiB"])
            }
            try await moving.launch(["--pool", "tank"])
            let make = "mkdir $1; echo x >$1/x; chown -R 1000033:1000044 $1; chmod 4755 $1/x"
            try await lab.host("a").check(["sh", "-ec", make, "sh", volume + "/kept"])
            var isFirst = true
            for (source, target, first) in [("a", "b", 3_000_000), ("b", "a", 1_000_000)] {
                let before = try await moving.lines(source).count
                let report = try await lab.move("web", from: source, to: target)
                try await moving.whole(on: target, after: before)
                let sent = report.bytes["volume"] ?? 0
                #expect(isFirst ? sent > 50 << 20 : sent < 6 << 20, "\(sent)")
                isFirst = false
                figure("zfs to \(first): \(report.downtimeMilliseconds ?? 0) ms frozen")
                let node = lab.host(target)
                let said = try await node.check(
                    ["stat", "-c", "%u %g %a", volume + "/kept/x", volume + "/lines"])
                #expect(said == "\(first + 33) \(first + 44) 4755\n\(first) \(first) 644\n")
                let strangers = try await node.check([
                    "find", volume, "(", "-uid", "-\(first)", "-o", "-uid", "+\(first + 65_535)",
                    ")", "-print", "-quit",
                ])
                #expect(strangers == "")
            }
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
