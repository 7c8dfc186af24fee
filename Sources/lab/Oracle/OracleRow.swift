import Foundation
import MigrationCore
import TestSupport

/// What came of the moves of one kind.
struct OracleRow: Codable {
    let variant: OracleVariant
    /// Memory is to follow the instance, and not to go ahead.
    let isPostcopy: Bool
    private(set) var moves = 0
    /// Summed up over all moves.
    private(set) var pagesChecked = 0
    private(set) var wrongPages = 0
    /// Of each move, and the largest number of tasks that answered.
    private(set) var pagesCarried: [UInt64] = []
    private(set) var tasks = 0
    /// How many tasks were tracked in which way, over all moves.
    private(set) var trackers: [String: Int] = [:]
    /// Why none better was taken.
    private(set) var reasons: [String: Int] = [:]
    /// Moves in which no memory went ahead, or followed with post-copy.
    private(set) var movesInFreeze = 0
    private(set) var downtimes: [Double] = []
    /// The parts of the longest.
    private(set) var longestParts: [String: Double] = [:]
    var repliesLost = 0
    var connectionAlive = false
    var failure: String?
    var explanations: [String] = []

    init(variant: OracleVariant, isPostcopy: Bool) {
        self.variant = variant
        self.isPostcopy = isPostcopy
    }

    mutating func add(_ report: MigrationReport) {
        moves += 1
        let downtime = report.downtimeMilliseconds ?? 0
        if downtime >= downtimes.max() ?? 0 { longestParts = report.downtime }
        downtimes.append(downtime)
        let followed = report.memory?.fetch?.owedPages ?? 0
        pagesCarried.append((report.memory?.pagesCarried ?? 0) + followed)
        let outside = isPostcopy ? followed : report.memory?.pagesAhead ?? 0
        if outside == 0 { movesInFreeze += 1 }
        for use in report.memory?.trackers ?? [] {
            trackers[use.name, default: 0] += use.tasks
            if use.reason != "the best there is" {
                reasons["\(use.name): \(use.reason)", default: 0] += use.tasks
            }
        }
    }

    mutating func add(_ answer: Oracle.Answer) {
        pagesChecked += answer.checked
        wrongPages += answer.wrong
        tasks = max(tasks, answer.tasks)
    }

    var isGood: Bool {
        failure == nil && wrongPages == 0 && pagesChecked > 0 && movesInFreeze == 0
            && repliesLost == 0 && connectionAlive
    }

    static let head =
        "variant    moves  tasks  pages checked  wrong  carried  median  longest  tracked by"

    var text: String {
        let carried = median(pagesCarried.map(Double.init))
        let figures = String(
            format: "%5d %6d %14d %6d %8.0f %7.0f %8.0f  ", moves, tasks, pagesChecked,
            wrongPages, carried, median(downtimes), downtimes.max() ?? 0)
        let name = variant.rawValue.padding(toLength: 11, withPad: " ", startingAt: 0)
        let kinds = trackers.sorted { $0.value > $1.value }
            .map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return name + figures + kinds + (isGood ? "" : "  NOT GOOD: \(fault)")
    }

    private var fault: String {
        var faults = failure.map { [$0] } ?? []
        if movesInFreeze > 0 {
            let what = isPostcopy ? "without memory that follows" : "without rounds"
            faults.append("\(movesInFreeze) moves \(what)")
        }
        if repliesLost > 0 { faults.append("\(repliesLost) replies lost") }
        if !connectionAlive { faults.append("the client's connection broke") }
        return faults.joined(separator: "; ")
    }
}
