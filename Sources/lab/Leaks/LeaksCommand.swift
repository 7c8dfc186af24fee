import ArgumentParser
import Foundation
import LinuxHost
import MigrationCore
import TestSupport

struct LeaksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leaks",
        abstract: "Look for what many moves and aborted moves leave on both hosts.",
        discussion: "Writes what differs to .results/leaks.json, and ends with status 1 then.")

    @Option(help: "Moves that succeed; one more if it is odd.") var moves = 100
    @Option(help: "Moves that are ended on their way.") var aborted = 100
    @Option(help: "Where the figures go.") var output = ".results/leaks.json"

    func run() async throws {
        let root = FileManager.default.temporaryDirectory.path + "/godwit-leaks-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: root) }
        try await EchoProgram.root(at: root)
        let (moves, aborted) = (moves, aborted)
        var report = LeakReport()
        try await MoveLab.with { moving in
            report = try await LeakRun(moving: moving) { print($0) }
                .run(root: root, moves: moves, aborted: aborted)
        }
        try writeFigures(report, to: output)
        print(report.text)
        guard report.differences.isEmpty else { throw ExitCode(1) }
    }
}
