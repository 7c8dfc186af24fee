import Foundation

extension NetworkReport {
    /// How much longer than the downtime each client waited, with and without keeping packets.
    package var table: String {
        let head = [
            "| client | packets | gap − downtime: median | p90 | max | latency − downtime: median "
                + "| p90 | max | asked | lost | doubled | refused, reset |",
            "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        ]
        let rows = ClientKind.allCases.flatMap { kind in
            [true, false].compactMap { row(kind, holding: $0) }
        }
        return (head + rows + foot).joined(separator: "\n")
    }

    private func row(_ kind: ClientKind, holding: Bool) -> String? {
        guard let gap = spread(\.gapMilliseconds, of: kind, holding: holding),
            let latency = spread(\.latencyMilliseconds, of: kind, holding: holding),
            let totals = totals.first(where: { $0.client == kind && $0.holding == holding })
        else { return nil }
        let spans = [gap, latency].flatMap { [$0.median, $0.ninetieth, $0.longest] }
        let counts = [totals.asked, totals.lost, totals.doubled, totals.resets].map(String.init)
        let words = [holding ? kind.title : "", holding ? "kept" : "dropped"]
        return "| " + (words + spans.map(whole) + counts).joined(separator: " | ") + " |"
    }

    private var foot: [String] {
        let downtimes = [true, false].compactMap { holding -> String? in
            let values = moves.filter { $0.holding == holding }.map(\.downtimeMilliseconds)
            guard let spread = Spread(values) else { return nil }
            return "\(values.count) moves, packets \(holding ? "kept" : "dropped"): downtime "
                + "\(whole(spread.median)) ms (median), \(whole(spread.ninetieth)) (p90), "
                + "\(whole(spread.longest)) (max)"
        }
        return [""] + downtimes + (wrk.map { [$0.text] } ?? [])
    }

    private func whole(_ value: Double) -> String { String(format: "%.0f", value) }
}
