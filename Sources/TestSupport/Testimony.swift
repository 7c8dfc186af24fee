package import MigrationCore

/// What the client saw over one connection that it never renewed.
package struct Testimony: Codable, Equatable {
    package struct Gap: Codable, Equatable, Sendable {
        /// When the reply before it came.
        package var start: Timestamp
        package var milliseconds: Double

        package init(start: Timestamp, milliseconds: Double) {
            (self.start, self.milliseconds) = (start, milliseconds)
        }
    }

    /// Replies in order: the counter went up by one with each.
    package var replies = 0
    /// Numbers that were skipped or came twice.
    package var repliesLost = 0
    /// Pauses of more than 20 ms between two replies.
    package var gaps: [Gap] = []
    package var longestGapMilliseconds = 0.0
    package var connectionAlive = false
    package var error: String?

    package init() {}

    /// Judges the next reply by the one before it.
    package mutating func note(reply: Int, after last: Int, start: Timestamp, milliseconds: Double)
    {
        replies += 1
        repliesLost += abs(reply - last - 1)
        longestGapMilliseconds = max(longestGapMilliseconds, milliseconds)
        if milliseconds > 20 { gaps.append(Gap(start: start, milliseconds: milliseconds)) }
    }

    /// The longest pause that began between the two moments; what a client calls the blackout.
    package func blackout(from start: Timestamp, to end: Timestamp) -> Double {
        gaps.filter { $0.start.milliseconds >= start.milliseconds - 1000 && $0.start <= end }
            .map(\.milliseconds).max() ?? 0
    }
}
