import Foundation
import MigrationCore

/// What one tracker found in one kind of memory.
struct TrackerRow: Codable {
    let tracker: String
    let isScattered: Bool
    /// Before each round.
    let written: Int
    /// When watching began.
    let mebibytesInHugePages: Int
    var firstStopMilliseconds = 0.0
    private(set) var reported: [Int] = []
    private(set) var missed = 0
    private(set) var milliseconds: [Double] = []
    private(set) var stopMilliseconds: [Double] = []

    init(tracker: String, isScattered: Bool, written: Int, mebibytesInHugePages: Int) {
        self.tracker = tracker
        self.isScattered = isScattered
        self.written = written
        self.mebibytesInHugePages = mebibytesInHugePages
    }

    mutating func add(_ found: WatchedWriter.Found, written: Set<UInt32>) {
        reported.append(found.pages.count)
        missed += written.subtracting(found.pages).count
        milliseconds.append(found.milliseconds)
        stopMilliseconds.append(found.stopped)
    }

    static let head = """
        | tracker | in huge pages | pages written | where | reported | missed | a round \
        | first stop | later stops |
        |---|--:|--:|---|--:|--:|--:|--:|--:|
        """

    var text: String {
        let figures = String(
            format: "| %.0f | %d | %.1f ms | %.1f ms | %.1f ms |",
            median(reported.map(Double.init)), missed, median(milliseconds),
            firstStopMilliseconds, median(stopMilliseconds))
        return "| `\(tracker)` | \(mebibytesInHugePages) MiB | \(written) "
            + "| \(isScattered ? "all over" : "side by side") " + figures
    }
}
