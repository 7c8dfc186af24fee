package import TestSupport

/// What `.results/leaks.json` holds.
package struct LeakReport: Codable, Sendable {
    package var moves = 0
    /// Moves that were ended on their way, by how.
    package var aborted: [String: Int] = [:]
    /// Moves that were to be ended and were over before.
    package var late = 0
    /// Lines of each list at the end, by host.
    package var lines: [String: [String: Int]] = [:]
    /// Empty is the goal.
    package var differences: [ListDifference] = []

    package init() {}

    package var text: String {
        let ways = aborted.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }
        let count = aborted.values.reduce(0, +)
        let head =
            "\(moves) moves and \(count) aborted ones (\(ways.joined(separator: ", "))), "
            + "\(late) more that could not be met in time"
        guard differences.isEmpty else {
            return ([head] + differences.map(\.text)).joined(separator: "\n")
        }
        let total = lines.values.flatMap(\.values).reduce(0, +)
        return head + "\nNothing is left: \(total) lines in "
            + "\(lines.values.map(\.count).reduce(0, +)) lists are as they were."
    }
}
