import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Limits and weights, as they stand in the kernel's files after a start and after a move.
@Suite(.timeLimit(.minutes(4))) struct HostLimitTests {
    private static let options = [
        "--memory", "256MiB", "--memory-reservation", "64MiB", "--cpus", "1.5",
        "--cpu-weight", "300", "--cpuset-cpus", "0", "--processes", "77", "--io-weight", "50",
        "--device", "/dev/net/tun:rw",
    ]

    /// What the group's files must hold; each is in one of the two versions.
    private static let expected = [
        "memory.limit_in_bytes": "268435456", "memory.soft_limit_in_bytes": "67108864",
        "cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "100000", "cpu.shares": "3072",
        "cpuset.cpus": "0", "pids.max": "77", "blkio.bfq.weight": "50",
        "memory.max": "268435456", "memory.low": "67108864", "cpu.max": "150000 100000",
        "cpu.weight": "300", "io.weight": "default 50", "io.bfq.weight": "default 50",
    ]

    /// The first disk of this machine that is no memory, and its number.
    private static func disk() -> (path: String, number: String)? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/block")) ?? []
        for name in names.sorted() where !["loop", "ram", "zram"].contains(where: name.hasPrefix) {
            guard let number = SmallFile.word("/sys/block/\(name)/dev"),
                SmallFile.exists("/dev/\(name)")
            else { continue }
            return ("/dev/\(name)", number)
        }
        return nil
    }

    private func files(_ moving: MoveLab, _ host: String) throws -> [String: String] {
        let path = "/\(moving.lab.cgroupParent(of: host))/web"
        var found: [String: String] = [:]
        for directory in try CgroupMounts.current().directories(of: path) {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] {
                found[name] = SmallFile.word("\(directory)/\(name)")
            }
        }
        return found
    }

    private func expectLimits(_ moving: MoveLab, on host: String) throws {
        let found = try files(moving, host)
        var seen = 0
        for (name, value) in Self.expected {
            guard let actual = found[name] else { continue }
            seen += 1
            #expect(actual == value, "\(name) on host \(host)")
        }
        // Processor, memory, set, processes: whatever else the kernel lacks.
        #expect(seen >= 6, "\(found.keys.sorted())")
        if let disk = Self.disk() {
            let old = found["blkio.throttle.read_bps_device"]
            let new = found["io.max"]
            let isThere = old == "\(disk.number) 1048576" || new?.contains("rbps=1048576") == true
            #expect(isThere, "\(old ?? new ?? "no file")")
        }
        let devices = found["devices.list"]
        if let devices { #expect(devices.contains("c 10:200 rw"), "\(devices)") }
    }

    @Test func `limits of every kind hold after a start and after each move`() async throws {
        try await MoveLab.with { moving in
            let disk = Self.disk().map { ["--device-read-bps", "\($0.path):1MiB"] } ?? []
            try await moving.launch(Self.options + disk)
            try expectLimits(moving, on: "a")
            for (source, target) in [("a", "b"), ("b", "a")] {
                let before = try await moving.lines(source).count
                try await moving.lab.check(source, ["move", "web", "host-\(target):"])
                try await moving.whole(on: target, after: before)
                try expectLimits(moving, on: target)
            }
            let device = ["exec", "web", "--", "stat", "-c", "%t:%T", "/dev/net/tun"]
            let number = try await moving.lab.check("a", device)
            #expect(number.trimmingCharacters(in: .newlines) == "a:c8")
        }
    }

    /// In a user namespace the host's permissions for others decide; root of the host has all.
    @Test func `a device that was given can be opened, also after a move, and no other`()
        async throws
    {
        try await MoveLab.with { moving in
            let device = ["--privileged", "--device", "/dev/net/tun:rw"]
            try await moving.launch(device)
            let open = "exec 3<>/dev/net/tun"
            let stranger = "rm -f /dev/other; mknod /dev/other c 10 229 && exec 3<>/dev/other"
            for host in ["a", "b"] {
                let inside = ["exec", "web", "--", "sh", "-c"]
                try await moving.lab.check(host, inside + [open])
                let other = try await moving.lab.godwit(host, inside + [stranger])
                #expect(!other.status.isSuccess)
                #expect(other.errorText.contains("not permitted"), "\(other.errorText)")
                if host == "a" { try await moving.lab.check("a", ["move", "web", "host-b:"]) }
            }
        }
    }

    @Test func `what an instance uses is shown`() async throws {
        try await MoveLab.with { moving in
            try await moving.launch(["--memory", "256MiB"])
            // Read from the disk, past the page cache.
            let read = "dd if=/usr/bin/python3 of=/dev/null bs=64K count=8 iflag=direct"
            try await moving.lab.check("a", ["exec", "web", "--", "sh", "-c", read])
            let text = try await moving.lab.check("a", ["info", "web"])
            let lines = text.split(separator: "\n").map(String.init)
            let memory = lines.first { $0.hasPrefix("Memory:") }
            #expect(memory?.contains("at most") == true, "\(text)")
            let io = lines.first { $0.hasPrefix("IO:") }
            #expect(io?.contains("read") == true && io?.contains("0 B read") == false, "\(text)")
            #expect(lines.contains { $0.hasPrefix("CPU time:") }, "\(text)")
            let json = try await moving.lab.check("a", ["info", "web", "--format", "json"])
            let view = try JSONDecoder().decode(InstanceView.self, from: Data(json.utf8))
            let peak = try #require(view.observation.memoryPeak)
            #expect(peak >= view.observation.memory && peak <= .mebibytes(256))
            #expect(view.observation.io.map { $0.read >= .kibibytes(512) } == true)
        }
    }

    @Test func `a processor that no host has is refused by the preflight or the start`()
        async throws
    {
        try await MoveLab.with { moving in
            let root = try await RootFilesystem.services.path()
            let words = ["launch", root, "web", "--cpuset-cpus", "8000", "--", "sleep", "9"]
            let refusal = try await moving.lab.godwit("a", words)
            #expect(!refusal.status.isSuccess)
        }
    }
}
