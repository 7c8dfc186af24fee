import ArgumentParser
import Foundation
import LinuxHost
import MigrationCore
import TestSupport

struct NetworkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network",
        abstract: "Measure what clients of every kind notice of moves, with and without the hold.",
        discussion: """
            Writes its figures to .results/network.json. Ends with status 1 if a goal is missed.
            """)

    @Option(help: "Moves during which packets are kept.") var moves = 50
    @Option(help: "Moves during which they are dropped; left out, as many.")
    var movesWithoutHold: Int?
    @Flag(inversion: .prefixedNo, help: "Load nginx with wrk during two moves as well.")
    var wrk = true
    @Flag(help: "Print the figures as JSON in place of the table.") var json = false
    @Option(help: "Where the figures go.") var output = ".results/network.json"

    func validate() throws {
        guard moves > 0 || wrk else { throw ValidationError("there is nothing to measure") }
    }

    func run() async throws {
        let root = FileManager.default.temporaryDirectory.path + "/godwit-echo-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: root) }
        try await EchoProgram.root(at: root)
        var report = NetworkReport()
        for (holding, count) in [(true, moves), (false, movesWithoutHold ?? moves)]
        where count > 0 {
            let seen = try await NetworkRun(root: root, moves: count, holding: holding).run()
            report.moves += seen.moves
            report.totals += seen.totals
            try writeFigures(report, to: output)
        }
        if wrk { report.wrk = try await WrkRun(connections: 50).run() }
        try writeFigures(report, to: output)
        try conclude(report)
    }

    private func conclude(_ report: NetworkReport) throws {
        print(json ? try String(contentsOfFile: output, encoding: .utf8) : report.table)
        let breaches = NetworkGoals.breaches(in: report)
        for breach in breaches {
            FileHandle.standardError.write(Data("missed: \(breach)\n".utf8))
        }
        guard breaches.isEmpty else { throw ExitCode(1) }
    }
}
