import Foundation

/// What `wrk` says about its connections during moves of nginx.
package struct WrkFigures: Codable, Equatable, Sendable {
    package var connections: Int
    package var downtimes: [Double]
    package var requests: Int
    /// Of sockets (connect, read, write, timeout) and answers that were no success.
    package var errors: Int
    package var longestLatencyMilliseconds: Double

    enum CodingKeys: String, CodingKey {
        case connections, requests, errors
        case downtimes = "downtimes_ms"
        case longestLatencyMilliseconds = "longest_latency_ms"
    }

    /// Nil unless the text is what wrk 4 prints.
    package init?(text: String, connections: Int, downtimes: [Double]) {
        let lines = text.split(separator: "\n").map {
            $0.split { " ,:".contains($0) }.map(String.init)
        }
        guard let latency = lines.first(where: { $0.first == "Latency" && $0.count == 5 }),
            let longest = milliseconds(latency[3]),
            let count = lines.first(where: { $0.dropFirst().starts(with: ["requests", "in"]) }),
            let requests = Int(count[0])
        else { return nil }
        (self.connections, self.downtimes, self.requests) = (connections, downtimes, requests)
        longestLatencyMilliseconds = longest
        errors = lines.filter { $0.starts(with: ["Socket", "errors"]) || $0.first == "Non-2xx" }
            .flatMap { $0.compactMap(Int.init) }.reduce(0, +)
    }

    var text: String {
        let pauses = downtimes.map { String(format: "%.0f", $0) }.joined(separator: " and ")
        return "wrk with \(connections) connections against nginx: \(requests) requests, "
            + "\(errors) errors, the longest "
            + String(format: "%.0f ms", longestLatencyMilliseconds)
            + " (downtime \(pauses) ms)"
    }
}

/// `12.50us`, `1.02ms`, `2.03s` or `1.00m`.
private func milliseconds(_ text: String) -> Double? {
    let units: [(String, Double)] = [("us", 0.001), ("ms", 1), ("s", 1000), ("m", 60_000)]
    for (unit, factor) in units where text.hasSuffix(unit) {
        return Double(text.dropLast(unit.count)).map { $0 * factor }
    }
    return nil
}
