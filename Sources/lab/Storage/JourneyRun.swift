import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// An instance with many files that moves from a to b, home and there again, with changes in
/// between.
struct JourneyRun {
    let kind: PoolKind
    /// MiB of files, and those that change between two moves.
    let size: Int
    let changed: Int
    /// Whether plain rsync has its try at the same trees.
    let besidesRsync: Bool

    private static let ways = [
        ("first move", "a", "b"), ("move back", "b", "a"), ("third move", "a", "b"),
    ]

    func run() async throws -> [StorageRow] {
        let scratch = FileManager.default.temporaryDirectory.path + "/godwit-journey-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try FileManager.default.createDirectory(
            atPath: scratch, withIntermediateDirectories: true)
        try await StoragePools.makeFiles(below: "\(scratch)/root", mebibytes: size)
        return try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.introduce()
            try await StoragePools.make(kind, mebibytes: 4 * size + 1_024, scratch, in: lab)
            try await lab.check(
                "a",
                ["launch", "\(scratch)/root", "files", "--pool", "measured", "--"]
                    + ["/bin/busybox", "sleep", "100000"], seconds: 600)
            var rows: [StorageRow] = []
            for (number, way) in Self.ways.enumerated() {
                if number > 0 { try await change(number, on: way.1, of: lab) }
                let bytes = UInt64(number == 0 ? size : changed) << 20
                if besidesRsync {
                    let tree = try await StoragePools.root(of: "files", on: way.1, of: lab)
                    rows.append(
                        try await PlainRsync(mirror: "\(scratch)/mirror").run(
                            tree, on: lab.host(way.1), way.0, changed: bytes))
                }
                rows.append(try await move(way, changed: bytes, of: lab))
            }
            return rows
        }
    }

    private func move(
        _ way: (name: String, source: String, target: String), changed: UInt64, of lab: Lab
    ) async throws -> StorageRow {
        let files = try await digest(on: way.source, of: lab)
        let before = try wireBytes(of: lab.host(way.source))
        let start = ContinuousClock.now
        try await lab.check(
            way.source, ["move", "files", "host-\(way.target):"], seconds: 900)
        let seconds = start.duration(to: .now) / .seconds(1)
        let bytes = try wireBytes(of: lab.host(way.source)) - before
        let arrived = try await digest(on: way.target, of: lab)
        return StorageRow(
            driver: kind.rawValue, way: way.name, passed: arrived == files,
            seconds: seconds, wireBytes: bytes, changedBytes: changed)
    }

    /// Of every file's name and content.
    private func digest(on host: String, of lab: Lab) async throws -> String {
        let tree = try await StoragePools.root(of: "files", on: host, of: lab)
        let script = "cd \"$1\"; find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum"
        return try await lab.host(host).check(["sh", "-ec", script, "sh", tree], seconds: 900)
    }

    /// All that goes through the host's uplink, both ways.
    private func wireBytes(of host: LabNode) throws -> UInt64 {
        let counters = host.path("/sys/class/net/\(Lab.uplink)/statistics")
        return try ["tx_bytes", "rx_bytes"].reduce(0) { sum, name in
            guard let number = SmallFile.word("\(counters)/\(name)").flatMap({ UInt64($0) }) else {
                throw GodwitError(.notFound, "\(counters) counts no bytes")
            }
            return sum + number
        }
    }

    /// Half of it in new files, half in the midst of files that are there.
    private func change(_ number: Int, on host: String, of lab: Lab) async throws {
        let script = """
            cd /files; i=0
            dd if=/dev/urandom of=new-\(number) bs=1M count=\(changed - changed / 2) 2>/dev/null
            for f in [0-9]*; do
                [ $i -lt \(changed / 2) ] || break; i=$((i + 1))
                dd if=/dev/urandom of=$f bs=1M count=1 seek=\(number) conv=notrunc 2>/dev/null
            done; sync
            """
        try await lab.check(
            host, ["exec", "files", "--", "/bin/busybox", "sh", "-c", script], seconds: 300)
    }
}

/// What people would do without Godwit: `rsync -a` from the tree to a mirror that it keeps.
struct PlainRsync {
    let mirror: String

    /// As to another host: over a pipe, with nothing but what rsync itself says.
    private static let shell = "sh -c 'shift; exec \"$@\"' sh"

    func run(
        _ tree: String, on host: LabNode, _ way: String, changed: UInt64
    ) async throws -> StorageRow {
        let start = ContinuousClock.now
        let said = try await host.check(
            [
                "rsync", "-a", "--delete", "--numeric-ids", "--stats", "--rsh=\(Self.shell)",
                "\(tree)/", "there:\(mirror)/",
            ], seconds: 900)
        let seconds = start.duration(to: .now) / .seconds(1)
        guard let sent = Self.number("Total bytes sent:", in: said),
            let received = Self.number("Total bytes received:", in: said)
        else { throw GodwitError(.toolFailed, "rsync says \"\(said)\"") }
        return StorageRow(
            driver: "rsync", way: way, passed: true, seconds: seconds,
            wireBytes: sent + received, changedBytes: changed)
    }

    static func number(_ name: String, in text: String) -> UInt64? {
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line.flatMap { UInt64($0.dropFirst(name.count).filter(\.isNumber)) }
    }
}
