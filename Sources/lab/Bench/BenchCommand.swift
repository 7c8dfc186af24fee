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
        discussion: """
            Writes its figures to .results/bench.json and holds them against bench-thresholds.json.
            Other systems need `scripts/setup-peers`; one that is missing is left out and named.
            """)

    @Option(help: "MiB of memory, with commas.") var sizes = "64,256,1024"
    @Option(help: "MiB at which other systems are measured.") var peerSizes = "64,256,1024"
    @Option(help: "Pages written a second, with commas.") var rates = "0,5000,50000"
    @Option(help: "Ways of moving, with commas.")
    var ways = BenchWay.allCases.map(\.rawValue).joined(separator: ",")
    @Option(help: "Moves of each kind.") var moves = 6
    @Option(help: "Ceilings that the figures are held against.")
    var thresholds = "bench-thresholds.json"
    @Flag(help: "Write the table of docs/performance.md and docs/plots as well.")
    var document = false
    @Option(help: "Measure nothing: take the figures of an earlier run from this file.")
    var from: String?

    func validate() throws {
        for name in ways.split(separator: ",") where BenchWay(rawValue: String(name)) == nil {
            throw ValidationError("there is no way \(name)")
        }
        guard !document || moves >= 5 else {
            throw ValidationError("what is documented is the median of at least 5 moves")
        }
    }

    func run() async throws {
        let earlier = try from.map(BenchReport.read)
        let report = if let earlier { earlier } else { try await measured() }
        if document { try report.document() }
        let broken = try BenchThresholds.read(thresholds).breaches(in: report)
        for breach in broken { say("over its ceiling: \(breach)") }
        guard broken.isEmpty, report.rows.allSatisfy(\.isGood) else { throw ExitCode(1) }
    }

    /// Every row is on disk as soon as it is known. A case that could not be measured ends the run
    /// with status 1, but only after all others.
    private func measured() async throws -> BenchReport {
        let base = try await RootFilesystem.tiny.path()
        let root = FileManager.default.temporaryDirectory.path + "/godwit-bench-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: root) }
        try await Command("cp", ["-a", base, root]).check()
        try await Workload.build(into: root)
        var report = BenchReport(rows: [])
        var failures: [String] = []
        say(BenchRow.head)
        for item in await plan().cases {
            if let free = freeMebibytes(), free < item.neededMebibytes {
                say(
                    "left out: \(item.way.rawValue) at \(item.mebibytes) MiB, \(item.rate) pages/s,"
                        + " which needs \(item.neededMebibytes) MiB, and \(free) MiB are available")
                continue
            }
            do {
                let row = try await BenchRun(root: root, item: item, moves: moves).run()
                report.add(row)
                say(row.text)
            } catch {
                let name = "\(item.way.rawValue) at \(item.mebibytes) MiB, \(item.rate) pages/s"
                failures.append(name)
                say("not measured: \(name): \((error as? GodwitError)?.cause ?? "\(error)")")
            }
            try report.write(to: ".results/bench.json")
        }
        guard failures.isEmpty else { throw ExitCode(1) }
        return report
    }

    private func plan() async -> BenchPlan {
        var present: [BenchWay] = []
        let help = try? await Command(Lab.builtGodwit, ["move", "--help"]).check()
        let knowsPostCopy = help?.contains("--postcopy") ?? false
        for way in ways.split(separator: ",").compactMap({ BenchWay(rawValue: String($0)) }) {
            if let tool = await way.scripts?.missingTool() {
                say("left out: \(way.title), for there is no \(tool) here (scripts/setup-peers)")
            } else if way.needsPostCopy, !knowsPostCopy {
                say("left out: \(way.title), which this program does not know")
            } else {
                present.append(way)
            }
        }
        return BenchPlan(
            sizes: numbers(sizes), rates: numbers(rates), ways: present,
            peerSizes: numbers(peerSizes))
    }

    /// Unbuffered: rows show as they come, also where they go into a file.
    private func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    /// Nil where the kernel does not tell.
    private func freeMebibytes() -> Int? {
        let text = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
            .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }
            .map { $0 / 1024 }
    }

    private func numbers(_ text: String) -> [Int] {
        text.split(separator: ",").compactMap { Int($0) }
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
