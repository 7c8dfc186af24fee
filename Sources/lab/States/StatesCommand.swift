import ArgumentParser
import Foundation
import MigrationCore
import TestSupport

struct StatesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "states",
        abstract: "Measure stateful snapshots of a redis server, here and on another host.",
        discussion: """
            Writes its figures to .results/states.json. Ends with status 1 if anything that redis
            held was another afterwards.
            """)

    @Option(help: "MiB that redis holds, one for each key.") var size = 500
    @Option(help: "How often each is done.") var times = 3

    func run() async throws {
        let root = try await RootFilesystem.services.path()
        let (size, times) = (max(1, size), max(1, times))
        let report = try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.introduce()
            return try await StatesRun(lab: lab, root: root, mebibytes: size).run(times: times)
        }
        try writeFigures(report, to: ".results/states.json")
        print(report.table)
        guard report.isGood else { throw ExitCode(1) }
    }
}

/// What `.results/states.json` holds; times in milliseconds.
struct StatesReport: Codable {
    struct Snapshot: Codable {
        var total: Double
        /// By the daemon's account.
        var pause: Double
        /// The longest time without an answer, on a client's clock.
        var blackout: Double
        /// Of the state on the disk.
        var bytes: UInt64
        var lost: Int
    }

    struct Restore: Codable {
        var host: String
        /// Until the command has returned, and until redis answers.
        var total: Double
        var answered: Double
        /// Whether it held what it had held.
        var isSame: Bool
    }

    var mebibytes: Int
    var snapshots: [Snapshot] = []
    var restores: [Restore] = []
    /// Of the move with all snapshots.
    var move: Double = 0
    var moveBytes: UInt64 = 0

    var isGood: Bool { restores.allSatisfy(\.isSame) && snapshots.allSatisfy { $0.lost == 0 } }

    var table: String {
        var lines = ["redis with \(mebibytes) MiB; milliseconds"]
        for snapshot in snapshots {
            lines.append(
                "snapshot --stateful: \(whole(snapshot.total)), stood still "
                    + "\(whole(snapshot.pause)), client without answer "
                    + "\(whole(snapshot.blackout)), \(snapshot.bytes >> 20) MiB, "
                    + "\(snapshot.lost) lost")
        }
        for restore in restores {
            lines.append(
                "restore on host \(restore.host): \(whole(restore.total)), answers after "
                    + "\(whole(restore.answered)), \(restore.isSame ? "the same" : "ANOTHER")")
        }
        lines.append(
            "move with \(snapshots.count) snapshots: \(whole(move)), \(moveBytes >> 20) MiB")
        return lines.joined(separator: "\n")
    }

    private func whole(_ number: Double) -> String { String(format: "%.0f", number) }
}
