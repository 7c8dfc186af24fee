import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Copies that stay where an instance was, with the real daemon and real pools.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(3)))
struct HostKeptTests {
    /// Each host has a zfs-fuse of its own, where it can.
    private static let zfs =
        ZfsFuse.obstacle == nil && !TestedZfs.isInKernel ? ["zfs"] : []

    private func withPools(
        _ driver: String, _ body: (MoveLab) async throws -> Void
    ) async throws {
        try await MoveLab.with(prepare: { lab in
            guard driver == "zfs" else { return }
            for host in lab.hosts { try await ZfsFuse.start(on: host) }
        }) { moving in
            let size = ["btrfs", "zfs"].contains(driver) ? ["size=2GiB"] : []
            for host in ["a", "b"] {
                try await moving.lab.check(host, ["pool", "create", "fast", driver] + size)
            }
            try await moving.launch(["--pool", "fast"])
            try await body(moving)
        }
    }

    /// Bytes that the source has sent of volume and snapshots.
    private func move(
        _ moving: MoveLab, _ source: String, _ target: String, _ options: [String] = []
    ) async throws -> UInt64 {
        let before = try await moving.lines(source).count
        let report = try await moving.lab.move("web", from: source, to: target, options)
        try await moving.whole(on: target, after: before)
        return ["snapshots", "volume", "delta"].reduce(0) { $0 + (report.bytes[$1] ?? 0) }
    }

    private func write(_ moving: MoveLab, _ file: String, on host: String) async throws {
        let script = "dd if=/dev/urandom of=/\(file) bs=64K count=16 2>/dev/null"
        try await moving.lab.check(host, ["exec", "web", "--", "sh", "-c", script])
    }

    private func info(_ moving: MoveLab, _ host: String) async throws -> String {
        try await moving.lab.check(host, ["pool", "info", "fast"])
    }

    /// Names of the copies that are there, whatever the daemon knows of them.
    private func copies(
        _ moving: MoveLab, _ driver: String, on host: String
    ) async throws -> [String] {
        let node = moving.lab.host(host)
        guard driver == "zfs" else {
            let names = try await node.check(["ls", "/var/lib/godwit/pools/fast/kept"])
            return names.split(separator: "\n").map(String.init)
        }
        return try await datasets(moving, ".kept", on: host).filter { !$0.contains("/") }
    }

    /// Datasets and snapshots below one of those of the pool.
    private func datasets(
        _ moving: MoveLab, _ name: String, on host: String
    ) async throws -> [String] {
        let parent = "godwit-fast/volumes/\(name)"
        return try await moving.lab.host(host).check([
            "zfs", "list", "-H", "-r", "-t", "filesystem,snapshot", "-o", "name", parent,
        ]).split(separator: "\n").filter { $0.hasPrefix(parent + "/") }
            .map { String($0.dropFirst(parent.count + 1)) }
    }

    @Test(arguments: ["directory", "btrfs", "overlay"] + HostKeptTests.zfs)
    func `an instance that was here before comes home with its changes only`(
        driver: String
    ) async throws {
        try await withPools(driver) { moving in
            let lab = moving.lab
            try await lab.check("a", ["snapshot", "web", "early"])
            let first = try await move(moving, "a", "b")
            #expect(first > 50 << 20)
            #expect(try await info(moving, "a").contains("copy"))
            try await write(moving, "one", on: "b")
            let back = try await move(moving, "b", "a")
            #expect(back > 1 << 20 && back < 6 << 20, "\(back)")
            try await write(moving, "two", on: "a")
            // Only this one has to travel; rsync looks at every file for it.
            try await lab.check("a", ["snapshot", "web", "late"])
            try await lab.check("a", ["delete", "web/early"])
            let third = try await move(moving, "a", "b")
            #expect(third > 1 << 20 && third < 12 << 20, "\(third)")
            let shown = try await lab.check("b", ["info", "web"])
            #expect(shown.contains("late") && !shown.contains("early"))
            let volumes = "/var/lib/godwit/pools/fast/volumes"
            #expect(try await lab.host("a").check(["ls", volumes]) == "")
            if driver == "zfs" {
                let left = try await datasets(moving, "web", on: "b")
                #expect(left == ["rootfs", "rootfs@godwit-snapshot-late"])
            } else {
                let kept = ["ls", "\(volumes)/web/snapshots"]
                #expect(try await lab.host("b").check(kept) == "late\n")
            }
            figure("\(driver): \(first >> 10), \(back >> 10), \(third >> 10) KiB")
        }
    }

    @Test(arguments: ["directory", "overlay"])
    func `a move whose link breaks is made again with what had come`(
        driver: String
    ) async throws {
        try await withPools(driver) { moving in
            let lab = moving.lab
            let before = try await moving.lines("a").count
            let result = try await moving.move(meeting: .sendingVolume) {
                try await eventually("half has come", within: 20, log: lab.daemonLog(of: "a")) {
                    try await moving.report("a")?.bytes["volume"] ?? 0 > 30 << 20
                }
                try await lab.setLink(of: lab.host("b"), up: false)
            }
            #expect(!result.status.isSuccess)
            try await moving.whole(on: "a", after: before)
            try await lab.setLink(of: lab.host("b"), up: true)
            // A target takes a link for lost after 10 s of silence.
            try await eventually("it is kept", within: 30, log: lab.daemonLog(of: "b")) {
                try await info(moving, "b").contains("partial")
            }
            let sent = try await move(moving, "a", "b")
            #expect(sent < 40 << 20, "\(sent)")
            #expect(try await info(moving, "b").contains("Kept copies:  none"))
            figure("\(driver): \(sent >> 10) KiB again")
        }
    }

    @Test(arguments: ["directory", "btrfs"] + HostKeptTests.zfs)
    func `a copy outlives the daemon, and goes by hand, in time and with its pool`(
        driver: String
    ) async throws {
        try await withPools(driver) { moving in
            let lab = moving.lab
            let copies = { try await self.copies(moving, driver, on: $0) }
            _ = try await move(moving, "a", "b")
            try await lab.stopDaemon(on: "a")
            try await lab.startDaemon(on: "a")
            #expect(try await copies("a").count == 1)
            #expect(try await lab.check("a", ["pool", "prune", "fast"]).contains("web"))
            #expect(try await copies("a") == [])
            #expect(try await info(moving, "a").contains("Kept copies:  none"))
            // All travels then, and a short time is over soon.
            #expect(try await move(moving, "b", "a", ["--keep-copy", "1s"]) > 20 << 20)
            try await eventually("the copy is gone", within: 30, log: lab.daemonLog(of: "b")) {
                try await copies("b").isEmpty
            }
            #expect(try await move(moving, "a", "b", ["--keep-copy", "none"]) > 20 << 20)
            #expect(try await copies("a") == [])
            _ = try await move(moving, "b", "a")
            #expect(try await copies("b").count == 1)
            try await lab.check("b", ["pool", "delete", "fast"])
            let left = try await lab.host("b").check(["ls", "/var/lib/godwit/pools"])
            #expect(!left.contains("fast"))
        }
    }

    @Test func `a copy that is damaged costs a whole transfer, and the instance is whole`()
        async throws
    {
        try await withPools("directory") { moving in
            let lab = moving.lab
            let first = try await move(moving, "a", "b")
            let script = """
                cd /var/lib/godwit/pools/fast/kept/*/rootfs/usr/bin
                file=$(find . -name 'python3*' -type f | head -n 1)
                touch -r $file /run/time; printf damage | dd of=$file bs=1 seek=99 conv=notrunc
                touch -r /run/time $file
                """
            try await lab.host("a").check(["sh", "-ec", script])
            let back = try await move(moving, "b", "a")
            #expect(back > first / 2, "\(back)")
            #expect(try await lab.host("a").check(["ls", "/var/lib/godwit/pools/fast/kept"]) == "")
        }
    }
}
