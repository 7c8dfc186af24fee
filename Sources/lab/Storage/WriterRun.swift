import LinuxHost
import MigrationCore
import TestSupport

/// A container that appends records to several files while it moves there and back, with files that
/// stay as they are beside them.
struct WriterRun {
    let kind: PoolKind
    /// Microseconds between two writes.
    let pause: Int
    /// MiB from which on a file of records is rotated; 0: never.
    let rotate: Int
    /// MiB of the file that stays.
    let beside: Int
    /// Small ones that stay.
    let besideFiles: Int
    /// For each move.
    let moveOptions: [String]

    func run() async throws -> WriterRow {
        try await MeasuredPool.with(kind) { pool in
            let root = "\(pool.scratch)/root"
            try await RecordProgram.makeRoot(at: root)
            let script = """
                cd "$1"; head -c $2M /dev/urandom >beside
                for ((i = 0; i < $3; i++)); do
                    if ((i % 1000 == 0)); then mkdir -p "files/$i"; d=files/$i; fi
                    echo $i >$d/$i
                done
                """
            try await Command(
                "bash", ["-ec", script, "bash", root, "\(beside)", "\(besideFiles)"]
            ).check()
            return try await pool.withHosts { lab in
                try await pool.make(mebibytes: 10_240, in: lab)
                try await lab.check(
                    "a",
                    ["launch", root, "writer", "--pool", "measured", "--", RecordProgram.path]
                        + ["\(pause)", "\(rotate)"])
                return try await there(andBack: lab)
            }
        }
    }

    private func there(andBack lab: Lab) async throws -> WriterRow {
        let start = ContinuousClock.now
        var downtimes: [Double] = []
        var (passes, deltas): ([UInt64], [UInt64]) = ([], [])
        for (source, target) in [("a", "b"), ("b", "a")] {
            let report = try await lab.move("writer", from: source, to: target, moveOptions)
            downtimes.append(report.downtimeMilliseconds ?? 0)
            passes.append(report.bytes["passes"] ?? 0)
            deltas.append(report.bytes["delta"] ?? 0)
            // It goes on writing where it has come to.
            try await Task.sleep(for: .seconds(1))
        }
        let seconds = start.duration(to: .now) / .seconds(1)
        let answer = try await RecordProgram.verify("writer", on: "a", of: lab)
        return WriterRow(
            driver: kind.rawValue, moves: downtimes.count, seconds: seconds,
            downtimeMilliseconds: downtimes.max() ?? 0, passesBytes: passes.max() ?? 0,
            deltaBytes: deltas.max() ?? 0, records: answer.records, lost: answer.lost,
            doubled: answer.doubled, torn: answer.torn,
            differing: answer.differing)
    }
}
