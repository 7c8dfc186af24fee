import Foundation
package import TestSupport

/// What an instance saw of time on its way between two machines.
package struct JourneyClocks {
    package var record: ClockRecord
    /// By kind.
    package var timers: [String: TimerRecord]
    /// When each machine was booted, by the wall clock, in seconds.
    package var boots: [Double]

    package init(record: ClockRecord, timers: [String: TimerRecord], boots: [Double]) {
        self.record = record
        self.timers = timers
        self.boots = boots
    }

    /// Instructions are interpreted, and the two wall clocks are set by hand.
    private static let tolerance = Duration.seconds(2)

    private var difference: Double { (boots.max() ?? 0) - (boots.min() ?? 0) }
    private var latest: Double { timers.values.compactMap(\.late.first).max() ?? 0 }
    private var pauseMilliseconds: Double { record.longestPause / .milliseconds(1) }

    package var line: String {
        String(
            format: "its clocks: %d readings, the longest pause %.0f ms, on machines booted %.1f s "
                + "apart; timers at most %.0f ms late",
            record.readings.count, pauseMilliseconds, difference, latest)
    }

    /// - Parameter moves: when each began, in milliseconds of the wall clock.
    package func faults(moves: [Int64]) -> [String] {
        let tolerance = Self.tolerance
        var faults = record.faults(tolerance: tolerance)
        // Clocks that are close to each other would show nothing.
        if boots.count != 2 || difference < 2 * (tolerance / .seconds(1)) {
            faults.append("\(boots.count) machines, booted \(difference) s apart")
        }
        let walls = record.readings.map { $0.wall / 1_000_000 }
        for move in moves where !(walls.contains { $0 < move } && walls.contains { $0 > move }) {
            faults.append("no clock was read on both sides of the move at \(move)")
        }
        for kind in TimerProgram.kinds {
            guard let timer = timers[kind] else {
                faults.append("nothing is known of \(kind)")
                continue
            }
            let most = pauseMilliseconds + tolerance / .milliseconds(1)
            for late in timer.late where late > most {
                faults.append("\(kind) was \(late) ms late")
            }
        }
        return faults
    }
}

extension JourneyClocks {
    /// Reads `clocks`, `late-KIND` and each machine's `booted-NAME`: seconds since boot, and the
    /// wall clock.
    init(folder: String) throws {
        func read(_ name: String) throws -> String {
            try String(contentsOf: URL(filePath: folder + "/" + name), encoding: .utf8)
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let boots = try names.filter { $0.hasPrefix("booted-") }.compactMap { name in
            let numbers = try read(name).split { $0.isWhitespace }.compactMap { Double($0) }
            return numbers.count == 2 ? numbers[1] - numbers[0] : nil
        }
        let timers = try TimerProgram.kinds.compactMap { kind in
            try TimerRecord(text: read("late-\(kind)")).map { (kind, $0) }
        }
        self.init(
            record: ClockRecord(text: try read("clocks")),
            timers: Dictionary(timers) { first, _ in first }, boots: boots)
    }
}
