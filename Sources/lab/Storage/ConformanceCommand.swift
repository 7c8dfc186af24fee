import ArgumentParser
import Foundation

struct ConformanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conformance",
        abstract: "Make a table of the suites that every driver of pools runs through.",
        discussion: """
            Reads event streams of tests and puts the cases of suites `…ConformanceTests` into
            .results/storage.json, in place of earlier ones of the same case and kinds. Ends with
            status 1 if a case has failed, or a stream holds none or has no end.

            Example:
              lab conformance .results/events/host.jsonl .results/vmlab/pools/a/pools.jsonl
            """)

    @Option(help: "Where the figures go.") var output = ".results/storage.json"
    @Argument(help: "Files with one event a line.") var streams: [String]

    func run() throws {
        var report = try StorageReport.read(from: output)
        var failures: [String] = []
        for path in streams {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let stream = ConformanceStream(text)
            if stream.rows.isEmpty { failures.append("\(path): there are no cases") }
            if !stream.isComplete { failures.append("\(path): the run did not end") }
            failures += stream.rows.filter { !$0.passed }.map { "\($0.pairing): \($0.name)" }
            report.put(stream.rows)
        }
        try writeFigures(report, to: output)
        print(report.conformanceTable)
        try endWith(failures)
    }
}

/// - Throws: status 1 after telling them, if there are any.
func endWith(_ failures: [String]) throws {
    for failure in failures {
        FileHandle.standardError.write(Data("failed: \(failure)\n".utf8))
    }
    guard failures.isEmpty else { throw ExitCode(1) }
}
