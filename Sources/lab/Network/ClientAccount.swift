package import MigrationCore
package import TestSupport

/// What one client saw, as far as it is worth telling. Moments are nanoseconds of the wall clock.
package struct ClientAccount: Codable, Equatable, Sendable {
    package struct Failure: Codable, Equatable, Sendable {
        package var moment: Timestamp
        package var reason: String
    }

    package let kind: ClientKind
    package private(set) var asked = 0
    package private(set) var answered = 0
    /// Answers that came twice or, on a connection, out of their order.
    package private(set) var doubled = 0
    /// Times of more than 5 ms without any answer.
    package private(set) var gaps: [Testimony.Gap] = []
    /// Requests that were answered only after more than 20 ms.
    package private(set) var slow: [Testimony.Gap] = []
    /// When what was never answered had been asked.
    package private(set) var lost: [Timestamp] = []
    /// Connections refused, reset or ended.
    package private(set) var failures: [Failure] = []
    private var lastAnswer: Int64?

    package init(_ kind: ClientKind) { self.kind = kind }

    package mutating func ask() { asked += 1 }

    package mutating func answer(asked: Int64, at now: Int64) {
        answered += 1
        if let lastAnswer, now - lastAnswer > 5_000_000 { gaps.append(span(lastAnswer, now)) }
        if now - asked > 20_000_000 { slow.append(span(asked, now)) }
        lastAnswer = now
    }

    package mutating func double() { doubled += 1 }

    package mutating func lose(asked: Int64) { lost.append(timestamp(asked)) }

    package mutating func fail(_ reason: String, at now: Int64) {
        failures.append(Failure(moment: timestamp(now), reason: reason))
    }

    private func span(_ start: Int64, _ end: Int64) -> Testimony.Gap {
        Testimony.Gap(start: timestamp(start), milliseconds: Double(end - start) / 1_000_000)
    }

    private func timestamp(_ nanoseconds: Int64) -> Timestamp {
        Timestamp(milliseconds: nanoseconds / 1_000_000)
    }
}

/// What one client saw of one move.
package struct ClientFigures: Codable, Equatable, Sendable {
    /// The longest time without an answer.
    package var gapMilliseconds = 0.0
    /// The longest time from a request to its answer.
    package var latencyMilliseconds = 0.0
    package var lost = 0
    package var resets = 0

    package init() {}

    enum CodingKeys: String, CodingKey {
        case lost, resets
        case gapMilliseconds = "gap_ms"
        case latencyMilliseconds = "latency_ms"
    }
}

extension ClientAccount {
    /// What began between the two moments, the second one left out.
    package func figures(from start: Timestamp, to end: Timestamp) -> ClientFigures {
        precondition(start <= end)
        let window = start..<end
        var figures = ClientFigures()
        figures.gapMilliseconds = longest(gaps, in: window)
        figures.latencyMilliseconds = longest(slow, in: window)
        figures.lost = lost.count(where: window.contains)
        figures.resets = failures.count { window.contains($0.moment) }
        return figures
    }

    private func longest(_ spans: [Testimony.Gap], in window: Range<Timestamp>) -> Double {
        spans.filter { window.contains($0.start) }.map(\.milliseconds).max() ?? 0
    }
}
