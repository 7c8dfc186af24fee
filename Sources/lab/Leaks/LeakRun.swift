import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// How a move is ended on its way.
enum Abort: String, CaseIterable {
    case cancelledInPrepare = "cancelled in prepare"
    case cancelledInVolume = "cancelled in the volume"
    case cancelledInMemory = "cancelled in the rounds"
    case cancelledInFreeze = "cancelled in the freeze"
    case targetKilled = "target's daemon killed"
    case sourceKilled = "source's daemon killed"
    case restoreFailed = "restore failed"

    var stage: MoveStage {
        switch self {
        case .cancelledInPrepare: .preparing
        case .cancelledInVolume: .sendingVolume
        case .cancelledInMemory: .sendingMemory
        case .cancelledInFreeze, .targetKilled, .sourceKilled, .restoreFailed: .frozen
        }
    }

    /// Slow enough to be met there: 2 MiB of files, and memory as the echo program is told.
    var options: [String] {
        switch self {
        case .cancelledInPrepare, .restoreFailed: []
        case .cancelledInVolume: ["--bandwidth", "1MiB"]
        case .cancelledInMemory: ["--bandwidth", "8MiB"]
        case .cancelledInFreeze, .targetKilled, .sourceKilled:
            ["--rounds", "0", "--bandwidth", "24MiB"]
        }
    }
}

/// Moves that succeed and moves that do not, between two looks at both hosts.
struct LeakRun {
    let moving: MoveLab
    let say: @Sendable (String) -> Void

    func run(root: String, moves: Int, aborted: Int) async throws -> LeakReport {
        try await moving.lab.check("a", ["launch", root, "web"] + network + ["--", "/echo", "24"])
        try await there(andBack: 1)
        let before = try await settled()
        var report = LeakReport()
        try await there(andBack: (moves + 1) / 2)
        report.moves = (moves + 1) / 2 * 2
        say("\(report.moves) moves are made")
        while report.aborted.values.reduce(0, +) < aborted, report.late <= aborted {
            let count = report.aborted.values.reduce(0, +)
            let way = Abort.allCases[(count + report.late) % Abort.allCases.count]
            if try await abort(way) {
                report.aborted[way.rawValue, default: 0] += 1
            } else {
                report.late += 1
            }
        }
        say("\(aborted) moves are aborted")
        try await there(andBack: 1)
        report.differences = try await differences(since: before)
        for host in Self.hosts {
            report.lines[host] = try await moving.lab.lists(of: host).lists.mapValues(\.count)
        }
        return report
    }

    private static let hosts = ["a", "b"]

    private var network: [String] {
        [
            "--network", "bridge=\(Lab.bridge),address=\(NetworkRun.address)/24",
            "--network", "bridge=\(Lab.bridge),address=\(NetworkRun.second)/24",
        ]
    }

    private func there(andBack times: Int) async throws {
        for _ in 0..<times {
            for (source, target) in [("a", "b"), ("b", "a")] {
                try await until("host \(target) has given the name back") {
                    try await !list(of: target).contains("web")
                }
                _ = try await moving.lab.move("web", from: source, to: target)
            }
        }
    }

    private func list(of host: String) async throws -> String {
        try await moving.lab.check(host, ["list", "--format", "json"])
    }

    private func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        try await eventually(
            what, within: 40, log: moving.lab.daemonLog(of: "a"), condition)
    }
}

extension LeakRun {
    /// False if the move was over before: then the instance is back on host a all the same.
    private func abort(_ way: Abort) async throws -> Bool {
        let lab = moving.lab
        let result =
            switch way {
            case .restoreFailed: try await withoutTasks { try await moving.move() }
            default:
                try await moving.move(meeting: way.stage, way.options) { try await harm(way) }
            }
        for host in Self.hosts where lab.daemonPid(on: host) == nil {
            try await lab.startDaemon(on: host)
        }
        var homes: [String] = []
        try await until("one host has it after \(way.rawValue)") {
            homes = []
            for host in Self.hosts where try await list(of: host).contains("web") {
                homes.append(host)
            }
            return homes.count == 1
        }
        try await until("it runs after \(way.rawValue)") { try await moving.runs(on: homes[0]) }
        if homes == ["b"] { _ = try await lab.move("web", from: "b", to: "a") }
        return !result.status.isSuccess && homes == ["a"]
    }

    /// A move that has ended cannot be interrupted, which shows in its outcome.
    private func harm(_ way: Abort) async throws {
        switch way {
        case .targetKilled: try await moving.lab.stopDaemon(on: "b", signal: SIGKILL)
        case .sourceKilled: try await moving.lab.stopDaemon(on: "a", signal: SIGKILL)
        default: try? await moving.interruptMove()
        }
    }

    private func withoutTasks(
        _ body: () async throws -> ToolResult
    ) async throws -> ToolResult {
        try moving.limitTasks("1")
        let result: Result<ToolResult, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        try moving.limitTasks("max")
        return try result.get()
    }

    /// Both hosts once two looks in a row are equal: connections that idle are closed in time.
    private func settled() async throws -> [String: HostLists] {
        var last = try await look()
        try await until("nothing changes any more") {
            try await Task.sleep(for: .seconds(2))
            let next = try await look()
            defer { last = next }
            return next == last
        }
        return last
    }

    private func look() async throws -> [String: HostLists] {
        var all: [String: HostLists] = [:]
        for host in Self.hosts { all[host] = try await moving.lab.lists(of: host) }
        return all
    }

    /// What still differs after half a minute.
    private func differences(
        since before: [String: HostLists]
    ) async throws -> [ListDifference] {
        var left: [ListDifference] = []
        try? await eventually("all is as before", within: 30) {
            let after = try await look()
            left = Self.hosts.flatMap { host -> [ListDifference] in
                guard let before = before[host], let after = after[host] else { return [] }
                return after.differences(since: before, host: host)
            }
            return left.isEmpty
        }
        return left
    }
}
