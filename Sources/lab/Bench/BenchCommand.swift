import ArgumentParser
import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// Blackouts by memory size, write rate and way of moving, side by side in one run.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what a client sees of moves, by memory size and write rate.",
        discussion: "Writes its figures to .results/bench.json.")

    @Option(help: "MiB of memory, with commas.") var sizes = "64,256,1024"
    @Option(help: "Pages written a second, with commas.") var rates = "0,5000,50000"
    @Option(help: "Moves of each kind.") var moves = 6

    func run() async throws {
        let base = try await RootFilesystem.tiny.path()
        let root = FileManager.default.temporaryDirectory.path + "/godwit-bench-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: root) }
        try await Command("cp", ["-a", base, root]).check()
        try await Workload.build(into: root)
        var rows: [BenchRow] = []
        say(BenchRow.head)
        for size in numbers(sizes) {
            for rate in numbers(rates) {
                for way in BenchWay.allCases {
                    let row = try await BenchRun(
                        root: root, mebibytes: size, rate: rate, way: way, moves: moves
                    ).run()
                    rows.append(row)
                    say(row.text)
                }
            }
        }
        try BenchRow.write(rows, to: ".results/bench.json")
        guard rows.allSatisfy(\.isGood) else { throw ExitCode(1) }
    }

    /// Unbuffered: rows show as they come, also where they go into a file.
    private func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    private func numbers(_ text: String) -> [Int] {
        text.split(separator: ",").compactMap { Int($0) }
    }
}

/// How the instance moves.
enum BenchWay: String, CaseIterable, Codable {
    case godwit
    /// Packets that come meanwhile are lost.
    case noHold = "no-hold"
    /// All memory travels in the freeze.
    case stopAndCopy = "stop-and-copy"

    var options: [String] {
        switch self {
        case .godwit: []
        case .noHold: ["--no-hold"]
        case .stopAndCopy: ["--rounds", "0"]
        }
    }
}

/// One workload, moved back and forth.
struct BenchRun {
    let root: String
    let mebibytes: Int
    let rate: Int
    let way: BenchWay
    let moves: Int

    func run() async throws -> BenchRow {
        try await Lab.with { lab in
            try await lab.startDaemons()
            let token = try await lab.check("b", ["trust", "add", "host-a"])
            try await lab.check(
                "a", ["remote", "add", "host-b", token.trimmingCharacters(in: .newlines)])
            return try await measure(lab)
        }
    }

    private func measure(_ lab: Lab) async throws -> BenchRow {
        let address = Lab.address(10)
        let network = ["--address", "\(address)/24", "--bridge", Lab.bridge]
        let command = ["--", "/pages", "\(mebibytes)", "\(rate)"]
        try await lab.check("a", ["launch", root, "pages"] + network + command)
        try await eventually("the workload is ready", within: 60) {
            try await lab.godwit("a", ["logs", "pages"]).text.contains("ready")
        }
        let client = try await Counting(client: lab.client, address: address)
        var (reports, spans): ([MigrationReport], [(Timestamp, Timestamp)]) = ([], [])
        for number in 0..<moves {
            let (source, target) = number.isMultiple(of: 2) ? ("a", "b") : ("b", "a")
            let start = now()
            try await lab.check(source, ["move", "pages", "host-\(target):"] + way.options)
            let text = try await lab.check(source, ["migrations", "pages", "--format", "json"])
            let all = try JSONDecoder().decode([MigrationReport].self, from: Data(text.utf8))
            if let newest = all.max(by: { $0.started < $1.started }) { reports.append(newest) }
            // Until the client is served again and the background has placed all pages.
            try await Task.sleep(for: .milliseconds(2_500))
            spans.append((start, now()))
        }
        let wrong = try await verify(lab, address)
        let testimony = try await client.finish()
        return BenchRow(
            self, reports: reports, blackouts: spans.map { testimony.blackout(from: $0, to: $1) },
            testimony: testimony, wrongPages: wrong)
    }

    private func verify(_ lab: Lab, _ address: String) async throws -> Int {
        let words = [Lab.builtLab, "verify", address, "6379"]
        let said = try await LabCommands.network(of: lab.client.pid, words).check()
        return Int(said.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
    }
}

/// Asks the workload how many of its pages are wrong.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "verify", shouldDisplay: false)

    @Argument var address: String
    @Argument var port: UInt16

    func run() throws {
        var connection = try RedisConnection(address: address, port: port)
        print(try connection.number(for: ["VERIFY", "all"], seconds: 120))
    }
}
