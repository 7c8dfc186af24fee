import ArgumentParser
import Foundation
import LinuxHost
import MigrationCore
import TestSupport

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Move a redis server between two hosts and back while a client counts.",
        discussion: "Writes its figures to .results/demo.json.")

    @Option(help: "Round trips.") var roundTrips = 1

    func run() async throws {
        let rootFilesystem = try await RootFilesystem.services.path()
        let trips = max(1, roundTrips)
        let result = try await Lab.with { lab in
            try await Demo(lab: lab, rootFilesystem: rootFilesystem).run(roundTrips: trips)
        }
        try result.write(to: ".results/demo.json")
        print("\n" + result.verdict)
        guard result.isGood else { throw ExitCode(1) }
    }
}

/// The story that `make demo` tells, one step after the other.
struct Demo {
    let lab: Lab
    let rootFilesystem: String
    private static let lines = "/root/lines"
    private static let writer = """
        import time, itertools
        lines = open('\(lines)', 'w', buffering=1)
        for n in itertools.count(1):
            lines.write(str(n) + chr(10))
            time.sleep(0.02)
        """
    private let address = Lab.address(10)
    private let began = ContinuousClock().now
    /// This program, wherever it was started from.
    private static var program: String {
        let link = "/proc/self/exe"
        return (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? Lab.builtLab
    }

    init(lab: Lab, rootFilesystem: String) {
        self.lab = lab
        self.rootFilesystem = rootFilesystem
    }

    func run(roundTrips: Int) async throws -> DemoResult {
        say("two hosts are up, each with namespaces and state of its own, and a client")
        try await lab.startDaemons()
        say("a daemon runs on each")
        try await trust()
        try await launch()
        let witness = try await Counting(
            client: lab.client, address: address, program: Self.program)
        say("the client holds one connection to \(address):6379 and counts")
        var moved: [Moved] = []
        for _ in 0..<roundTrips {
            for (source, target) in [("a", "b"), ("b", "a")] {
                moved.append(try await move(from: source, to: target))
            }
        }
        let testimony = try await witness.finish()
        return try await conclude(moved, testimony, at: "a")
    }

    private func trust() async throws {
        try await lab.introduce()
        say("host a and host b trust each other (one token)")
    }

    /// Beside redis the instance numbers lines in a file of its root filesystem, all the time.
    private func launch() async throws {
        let redis = [
            "sh", "-c",
            "python3 -c \"\(Self.writer)\" & "
                + "exec redis-server --bind 0.0.0.0 --protected-mode no --save '' --dir /tmp",
        ]
        let options = ["--address", "\(address)/24", "--bridge", Lab.bridge, "--memory", "256MiB"]
        try await lab.check("a", ["launch", rootFilesystem, "redis"] + options + ["--"] + redis)
        let ping = ["exec", "redis", "--", "redis-cli", "ping"]
        try await eventually("redis answers on host a", log: lab.daemonLog(of: "a")) {
            try await lab.godwit("a", ping).text.contains("PONG")
        }
        say("redis-server runs in a container on host a, in a user namespace")
    }
}

extension Demo {
    private struct Moved {
        let source: String
        let target: String
        let report: MigrationReport
        let start: Timestamp
        let end: Timestamp
        let fileArrived: Bool
    }

    private func move(from source: String, to target: String) async throws -> Moved {
        let start = now()
        let before = try await writtenLines(on: source)
        let said = try await lab.check(source, ["move", "redis", "host-\(target):"])
        let end = now()
        say("moved from host \(source) to host \(target)")
        guard let report = try await lab.newestReport(of: "redis", on: source) else {
            throw GodwitError(.notFound, "host \(source) lists no migration of redis")
        }
        print(indented(try await show(report, on: source) ?? said))
        try await waitForReply(on: target)
        let after = try await writtenLines(on: target)
        let isWhole = after == (1...max(1, after.count)).map(String.init)
        return Moved(
            source: source, target: target, report: report, start: start, end: end,
            fileArrived: isWhole && after.count > before.count)
    }

    /// Until the client has been answered again: else two moves would become one pause.
    private func waitForReply(on host: String) async throws {
        let first = try await counted(on: host)
        try await eventually("the client is answered on host \(host)") {
            try await counted(on: host) != first
        }
    }

    private func counted(on host: String) async throws -> String {
        try await lab.check(host, ["exec", "redis", "--", "redis-cli", "get", "witness"])
    }

    /// The lines that are complete: the last one may be under way.
    private func writtenLines(on host: String) async throws -> [String] {
        let text = try await lab.check(host, ["exec", "redis", "--", "cat", Self.lines])
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(
            String.init)
    }

    private func show(_ report: MigrationReport, on host: String) async throws -> String? {
        let result = try await lab.godwit(host, ["migration", "show", report.id.text])
        return result.status.isSuccess ? result.text : nil
    }

    private func conclude(
        _ moved: [Moved], _ testimony: Testimony, at host: String
    ) async throws -> DemoResult {
        let moves = moved.map { move in
            DemoResult.Move(
                report: move.report, source: move.source, target: move.target,
                blackout: testimony.blackout(from: move.start, to: move.end))
        }
        for move in moves {
            let blackout = String(format: "%.0f", move.blackoutMilliseconds)
            say("the client saw a pause of \(blackout) ms (\(move.source) to \(move.target))")
        }
        if let error = testimony.error { say("the client says: \(error)") }
        try await lab.check(host, ["delete", "redis", "--force"])
        return DemoResult(
            moves: moves, replies: testimony.replies, repliesLost: testimony.repliesLost,
            longestGapMilliseconds: testimony.longestGapMilliseconds,
            connectionAlive: testimony.connectionAlive,
            fileArrived: moved.allSatisfy(\.fileArrived))
    }

    private func say(_ text: String) {
        let seconds = (ContinuousClock().now - began) / .seconds(1)
        print(String(format: "%5.1f s  ", seconds) + text)
    }

    private func indented(_ text: String) -> String {
        text.split(separator: "\n").map { "         " + $0 }.joined(separator: "\n")
    }
}
