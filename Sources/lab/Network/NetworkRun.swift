import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// One instance that moves back and forth while all clients ask.
struct NetworkRun {
    let root: String
    let moves: Int
    let holding: Bool

    static let address = Lab.address(10)
    static let sixth = "fd77::10"
    static let second = "10.78.0.10"
    private static let instance = "echo"

    func run() async throws -> (moves: [NetworkMove], totals: [ClientTotals]) {
        try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.introduce()
            try await LabCommands.address(in: lab.client.pid, Lab.uplink, "10.78.0.9/24").check()
            try await launch(on: lab)
            let client = try await client(of: lab)
            var made: [Made] = []
            for number in 0..<moves {
                let (source, target) = number.isMultiple(of: 2) ? ("a", "b") : ("b", "a")
                made.append(try await move(lab, from: source, to: target))
            }
            let end = now()
            let bytes = try await client.finish()
            let seen = try JSONDecoder().decode(ClientsTestimony.self, from: Data(bytes))
            return (judge(made, until: end, seen), seen.accounts.map(totals))
        }
    }

    private func launch(on lab: Lab) async throws {
        let network = [
            "--network",
            "bridge=\(Lab.bridge),address=\(Self.address)/24,address=\(Self.sixth)/64",
            "--network", "bridge=\(Lab.bridge),address=\(Self.second)/24",
        ]
        try await lab.check(
            "a", ["launch", root, Self.instance] + network + ["--", "/echo", "16"])
    }

    private func client(of lab: Lab) async throws -> ClientProgram {
        let words = [
            Lab.builtLab, "clients", Self.address, Self.sixth, Self.second, "\(EchoProgram.port)",
        ]
        return try await ClientProgram(client: lab.client, words, ready: "asking")
    }

    private func totals(_ account: ClientAccount) -> ClientTotals {
        ClientTotals(account, holding: holding)
    }

    private struct Made {
        let start: Timestamp
        let source: String
        let target: String
        let figures: MoveFigures
    }

    /// Rests afterwards, until TCP's doubled timers have run out where packets were dropped.
    private func move(_ lab: Lab, from source: String, to target: String) async throws -> Made {
        let start = now()
        let report = try await lab.move(
            Self.instance, from: source, to: target, holding ? [] : ["--no-hold"])
        try await Task.sleep(for: .milliseconds(holding ? 1_000 : 2_500))
        return Made(start: start, source: source, target: target, figures: MoveFigures(report))
    }

    private func judge(
        _ made: [Made], until end: Timestamp, _ seen: ClientsTestimony
    ) -> [NetworkMove] {
        zip(made, made.dropFirst().map(\.start) + [end]).map { move, next in
            NetworkMove(
                holding: holding, source: move.source, target: move.target,
                downtime: move.figures.downtimeMilliseconds,
                total: move.figures.totalMilliseconds, window: move.start..<next, seen: seen)
        }
    }
}

/// nginx that moves there and back under connections that are kept.
struct WrkRun {
    let connections: Int

    func run() async throws -> WrkFigures {
        try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.introduce()
            try await WebServer.launch("web", address: NetworkRun.address, in: lab)
            async let load = WebServer.load(
                address: NetworkRun.address, connections: connections, seconds: 12, in: lab)
            var downtimes: [Double] = []
            for (source, target) in [("a", "b"), ("b", "a")] {
                try await Task.sleep(for: .seconds(1))
                let report = try await lab.move("web", from: source, to: target)
                downtimes.append(report.downtimeMilliseconds ?? 0)
            }
            let said = try await load
            guard
                let figures = WrkFigures(
                    text: said, connections: connections, downtimes: downtimes)
            else { throw GodwitError(.toolFailed, "wrk says \"\(said)\"") }
            return figures
        }
    }
}
