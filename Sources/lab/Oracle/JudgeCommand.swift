import ArgumentParser
import Foundation
package import MigrationCore
package import TestSupport

/// Judges moves that a script made between two machines, by what it has left in a folder.
struct JudgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "judge", shouldDisplay: false)

    @Option(help: "Memory must have gone ahead, watched by this tracker.") var tracker: String
    @Argument var folder: String

    func run() throws {
        let journey = try Journey(folder: folder)
        for line in journey.lines { print(line) }
        let faults = journey.faults(tracker: tracker)
        for fault in faults { print("NOT GOOD: \(fault)") }
        guard faults.isEmpty else { throw ExitCode(1) }
    }
}

/// An instance's way from host to host, under one client's connection.
package struct Journey {
    /// The sources' reports, in order.
    package var reports: [MigrationReport]
    /// Before the first move and after each.
    package var answers: [Oracle.Answer]
    package var testimony: Testimony
    package var clocks: JourneyClocks

    package init(
        reports: [MigrationReport], answers: [Oracle.Answer], testimony: Testimony,
        clocks: JourneyClocks
    ) {
        self.reports = reports
        self.answers = answers
        self.testimony = testimony
        self.clocks = clocks
    }

    /// Each move in a line, then the client and the clocks.
    package var lines: [String] {
        reports.map(Self.line) + [
            String(
                format: "the client: %d replies, %d lost, the longest pause %.0f ms",
                testimony.replies, testimony.repliesLost, testimony.longestGapMilliseconds),
            clocks.line,
        ]
    }

    package func faults(tracker: String) -> [String] {
        var faults: [String] = []
        if reports.isEmpty { faults.append("nothing has moved") }
        for report in reports { faults += Self.faults(of: report, tracker: tracker) }
        if answers.count != reports.count + 1 { faults.append("\(answers.count) answers") }
        let wrong = answers.reduce(0) { $0 + $1.wrong }
        if wrong > 0 { faults.append("\(wrong) pages are wrong") }
        for (answer, next) in zip(answers, answers.dropFirst())
        where answer.checked == 0 || next.steps <= answer.steps {
            faults.append("nothing ran between \(answer) and \(next)")
        }
        if testimony.repliesLost > 0 { faults.append("\(testimony.repliesLost) replies lost") }
        if !testimony.connectionAlive || testimony.replies == 0 {
            faults.append("the client's connection broke: \(testimony.error ?? "no reply")")
        }
        return faults + clocks.faults(moves: reports.map(\.started.milliseconds))
    }

    private static func faults(of report: MigrationReport, tracker: String) -> [String] {
        guard report.status == .succeeded else {
            return ["a move \(report.status.rawValue): \(report.error?.message ?? "")"]
        }
        let memory = report.memory ?? MemoryReport()
        let isWatched = memory.trackers.contains { $0.name == tracker && $0.tasks > 0 }
        return (memory.pagesAhead == 0 ? ["no memory went ahead to \(report.peer)"] : [])
            + (isWatched ? [] : ["nothing was watched by \(tracker)"])
    }

    private static func line(_ report: MigrationReport) -> String {
        let memory = report.memory ?? MemoryReport()
        let trackers = memory.trackers.map { "\($0.tasks) by \($0.name)" }
        return String(
            format: "to %@: %d rounds, %d pages ahead, %d in the freeze, downtime %.0f ms, ",
            report.peer, memory.rounds.count + memory.roundsLeftOut, Int(memory.pagesAhead),
            Int(memory.rounds.last?.pages ?? 0), report.downtimeMilliseconds ?? 0)
            + trackers.joined(separator: ", ")
    }
}

extension Journey {
    /// Reads `migrations-*.json`, `answers` (four numbers each), `testimony.json` and what
    /// `JourneyClocks` wants.
    init(folder: String) throws {
        let decoder = JSONDecoder()
        func read(_ name: String) throws -> Data {
            try Data(contentsOf: URL(filePath: folder + "/" + name))
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasPrefix("migrations-") }
        let reports = try names.flatMap {
            try decoder.decode([MigrationReport].self, from: read($0))
        }
        .filter { $0.side == .source }.sorted { $0.started < $1.started }
        let testimony = try decoder.decode(Testimony.self, from: read("testimony.json"))
        let numbers = String(decoding: try read("answers"), as: UTF8.self)
            .split(separator: "\n").compactMap { Int($0) }
        let answers = stride(from: 0, to: numbers.count / 4 * 4, by: 4).map { start in
            Oracle.Answer(
                wrong: numbers[start], checked: numbers[start + 1], tasks: numbers[start + 2],
                steps: numbers[start + 3])
        }
        self.init(
            reports: reports, answers: answers, testimony: testimony,
            clocks: try JourneyClocks(folder: folder))
    }
}
