import ArgumentParser
import Foundation
import TestSupport

/// Sums up what `swift test` wrote as event streams, for people and for tools.
struct SummaryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "summary", shouldDisplay: false)

    @Option(help: "Where the JSON goes.") var output = ".results/test.json"
    @Argument(help: "Files with one event a line; one that is missing counts as a failure.")
    var streams: [String]

    func run() throws {
        var summary = TestSummary()
        for stream in streams {
            let text = try? String(contentsOfFile: stream, encoding: .utf8)
            summary.add(stream: text ?? "", named: stream)
        }
        try writeFigures(summary, to: output)
        for name in summary.failed { print("failed: \(name)") }
        print(summary.line)
        guard summary.failed.isEmpty, !summary.passed.isEmpty else { throw ExitCode(1) }
    }
}
