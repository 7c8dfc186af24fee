import Foundation

/// What must hold where packets are kept; the only place that says it.
package enum NetworkGoals {
    /// How much longer than the downtime a connection may stand still.
    package static let allowanceMilliseconds = 20.0
    package static let lost = 0
    package static let resets = 0

    /// One line for each figure that misses its goal.
    package static func breaches(in report: NetworkReport) -> [String] {
        let held = report.moves.enumerated().filter(\.element.holding)
        return held.flatMap { number, move in gaps(of: move, number + 1) }
            + report.totals.filter(\.holding).flatMap(counts)
            + (report.wrk.map(wrk) ?? [])
    }

    private static func gaps(of move: NetworkMove, _ number: Int) -> [String] {
        ClientKind.allCases.filter(\.keepsConnection).compactMap { kind in
            guard let gap = move.clients[kind.rawValue]?.gapMilliseconds,
                gap > move.downtimeMilliseconds + allowanceMilliseconds
            else { return nil }
            return String(
                format: "move %d: %@ stood still for %.0f ms, %.0f more than the downtime", number,
                kind.title, gap, gap - move.downtimeMilliseconds)
        }
    }

    private static func counts(_ totals: ClientTotals) -> [String] {
        var lines: [String] = []
        if totals.lost > lost {
            lines.append("\(totals.client.title): \(totals.lost) of \(totals.asked) lost")
        }
        if totals.resets > resets {
            let reasons = totals.reasons.joined(separator: ", ")
            lines.append("\(totals.client.title): \(totals.resets) failed (\(reasons))")
        }
        return lines
    }

    private static func wrk(_ figures: WrkFigures) -> [String] {
        figures.errors == 0 ? [] : ["wrk: \(figures.errors) errors"]
    }
}
