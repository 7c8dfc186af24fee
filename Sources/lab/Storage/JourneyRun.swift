import Foundation
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
        try await MeasuredPool.with(kind) { pool in
            let files = StorageFiles.many(mebibytes: size)
            try await files.make(below: "\(pool.scratch)/root")
            return try await pool.withHosts { lab in
                try await pool.make(mebibytes: 4 * size + 1_024, in: lab)
                try await pool.launch("files", upon: "\(pool.scratch)/root", in: lab)
                return try await ways(pool, lab, first: files.bytes)
            }
        }
    }

    private func ways(
        _ pool: MeasuredPool, _ lab: Lab, first: UInt64
    ) async throws -> [StorageRow] {
        let rsync = PlainRsync(mirror: "\(pool.scratch)/mirror")
        var rows: [StorageRow] = []
        for (number, (name, source, target)) in Self.ways.enumerated() {
            if number > 0 { try await change(number, on: source, of: lab) }
            let bytes = number == 0 ? first : UInt64(changed) << 20
            if besidesRsync {
                let tree = try await pool.root(of: "files", on: source, of: lab)
                rows.append(
                    try await rsync.run(tree, on: lab.host(source), name, changed: bytes))
            }
            rows.append(
                try await pool.move(
                    "files", from: source, to: target, name, changed: bytes, in: lab))
        }
        return rows
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
