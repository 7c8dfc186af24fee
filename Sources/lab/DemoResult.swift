import Foundation
import MigrationCore

/// What `.results/demo.json` holds.
struct DemoResult: Codable {
    struct Move: Codable {
        var source: String
        var target: String
        var phases: [String: Double]
        var totalMilliseconds: Double
        var downtimeMilliseconds: Double
        var downtimeParts: [String: Double]
        var blackoutMilliseconds: Double
        var bytes: [String: UInt64]

        enum CodingKeys: String, CodingKey {
            case source, target, bytes
            case phases = "phases_ms"
            case totalMilliseconds = "total_ms"
            case downtimeMilliseconds = "downtime_ms"
            case downtimeParts = "downtime_parts_ms"
            case blackoutMilliseconds = "blackout_ms"
        }

        init(report: MigrationReport, source: String, target: String, blackout: Double) {
            self.source = source
            self.target = target
            phases = Dictionary(
                report.phases.map { ($0.phase.title, $0.milliseconds) }, uniquingKeysWith: +)
            let end = report.ended ?? report.started
            totalMilliseconds = Double(end.milliseconds - report.started.milliseconds)
            downtimeMilliseconds = report.downtimeMilliseconds ?? 0
            downtimeParts = report.downtime
            blackoutMilliseconds = blackout
            bytes = report.bytes
        }
    }

    var moves: [Move]
    var replies: Int
    var repliesLost: Int
    var longestGapMilliseconds: Double
    var connectionAlive: Bool
    var fileArrived: Bool

    enum CodingKeys: String, CodingKey {
        case moves, replies
        case repliesLost = "replies_lost"
        case longestGapMilliseconds = "longest_gap_ms"
        case connectionAlive = "connection_alive"
        case fileArrived = "file_arrived"
    }

    var isGood: Bool { repliesLost == 0 && connectionAlive && fileArrived && moves.count >= 2 }

    /// One line that says what happened.
    var verdict: String {
        let gap = String(format: "%.0f ms", longestGapMilliseconds)
        guard isGood else {
            let faults = [
                connectionAlive ? nil : "the connection broke",
                repliesLost == 0 ? nil : "\(repliesLost) replies were lost",
                fileArrived
                    ? nil : "the file that was written all the time has lost or doubled lines",
                moves.count == 2 ? nil : "\(moves.count) of 2 moves succeeded",
            ]
            return "NOT GOOD: " + faults.compactMap(\.self).joined(separator: "; ")
        }
        return "redis went to the other host and back under one client connection: \(replies) "
            + "replies in order, 0 lost, the longest pause \(gap)."
    }

    func write(to path: String) throws { try writeFigures(self, to: path) }
}
