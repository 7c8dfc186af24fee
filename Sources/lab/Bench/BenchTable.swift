import Foundation

extension BenchReport {
    /// Two tables in Markdown: what a client sees, and what it costs.
    var table: String {
        pauses + "\n" + costs
    }

    private var pauses: String {
        let head = [
            "| MiB | pages/s | | total | downtime | blackout | longest | pauses | in all"
                + " | of stop and copy | of best peer |",
            "|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        ]
        return text(
            head,
            rows: grouped { row in
                let name = row.isWhole ? row.system.title : row.system.title + " (!)"
                let blackout = whole(row.blackoutMilliseconds)
                return [
                    name, whole(row.totalMilliseconds), whole(row.downtimeMilliseconds),
                    row.system == .godwit ? "**\(blackout)**" : blackout,
                    whole(row.longestBlackoutMilliseconds), ofPauses(row) { Double($0.count) },
                    ofPauses(row) { $0.reduce(0, +) },
                    share(row.againstStopAndCopy), share(row.againstBestPeer),
                ]
            })
    }

    private var costs: String {
        let head = [
            "| MiB | pages/s | | rounds | wire MiB | over memory | CPU source | CPU target"
                + " | daemon, source | daemon, target | monitor | all, source | all, target |",
            "|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        ]
        return text(
            head,
            rows: grouped { row in
                let resident = ["source_daemon", "target_daemon", "target_monitor"].map {
                    mebibytes(row.peakResident[$0])
                }
                let all = ["source", "target"].map { mebibytes(row.peakMemory[$0]) }
                return [
                    row.system.title, row.system.isPeer ? "" : whole(Double(row.rounds)),
                    mebibytes(row.wireBytes), String(format: "%.2f", row.wireOverMemory),
                    String(format: "%.2f s", row.processorSource),
                    String(format: "%.2f s", row.processorTarget),
                ] + resident + all
            })
    }

    /// Size and rate stand only in the first of their rows.
    private func grouped(_ cells: (BenchRow) -> [String]) -> [[String]] {
        var last: (Int, Int)?
        return rows.map { row in
            let isNew = last.map { $0 != (row.mebibytes, row.rate) } ?? true
            last = (row.mebibytes, row.rate)
            let place = [row.mebibytes, row.rate].map { isNew ? whole(Double($0)) : "" }
            return place + cells(row)
        }
    }

    private func text(_ head: [String], rows: [[String]]) -> String {
        (head + rows.map { "| " + $0.joined(separator: " | ") + " |" })
            .map { $0 + "\n" }.joined()
    }
}

/// The median over the moves of what `measure` makes of a move's pauses above 100 ms: shorter ones
/// come from a busy machine as well.
private func ofPauses(_ row: BenchRow, _ measure: ([Double]) -> Double) -> String {
    whole(median(row.pausesMilliseconds.map { measure($0.filter { $0 > 100 }) }))
}

private func share(_ ratio: Double?) -> String {
    ratio.map { String(format: "%.2f", $0) } ?? ""
}

private func mebibytes(_ bytes: UInt64?) -> String {
    bytes.map { whole(Double($0) / 1_048_576) } ?? ""
}

/// With commas between thousands.
package func whole(_ value: Double) -> String {
    var digits = String(Int(value.rounded()))
    var groups: [String] = []
    while digits.count > 3 {
        groups.insert(String(digits.suffix(3)), at: 0)
        digits.removeLast(3)
    }
    return ([digits] + groups).joined(separator: ",")
}
