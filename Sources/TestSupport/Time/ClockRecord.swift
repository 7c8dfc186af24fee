/// What an instance has written down of its clocks, `/clocks` of `TimerProgram`.
package struct ClockRecord {
    /// The same moment by three clocks, in nanoseconds.
    package struct Reading: Equatable {
        package var monotonic: Int64
        package var boot: Int64
        package var wall: Int64
    }

    package let readings: [Reading]

    /// A line that is not whole is left out: the last one may be on its way.
    package init(text: String) {
        readings = text.split(separator: "\n").compactMap { line in
            let numbers = line.split(separator: " ").compactMap { Int64($0) }
            guard numbers.count == 3 else { return nil }
            return Reading(monotonic: numbers[0], boot: numbers[1], wall: numbers[2])
        }
    }

    /// The longest time between two readings, by the wall clock.
    package var longestPause: Duration {
        let pauses = zip(readings, readings.dropFirst()).map { $1.wall - $0.wall }
        return .nanoseconds(pauses.max() ?? 0)
    }

    /// Where a clock since boot stepped back, or went on by so much more than the wall clock did.
    package func faults(tolerance: Duration) -> [String] {
        let most = Int64(tolerance / .nanoseconds(1))
        return zip(readings, readings.dropFirst()).flatMap { before, after in
            let steps = [
                ("monotonic", after.monotonic - before.monotonic),
                ("boot", after.boot - before.boot),
            ]
            return steps.filter { $1 < 0 || $1 > after.wall - before.wall + most }.map {
                "the \($0) clock went on by \($1 / 1_000_000) ms between \(before) and \(after)"
            }
        }
    }
}

/// How often a timer has fired, and the most that it was late: `/late-KIND` of `TimerProgram`.
package struct TimerRecord: Equatable {
    package var fired: Int
    /// In milliseconds, by the wall clock and by the monotonic one.
    package var late: [Double]

    /// - Returns: nil for what is not whole.
    package init?(text: String) {
        let words = text.split { $0.isWhitespace }
        guard words.count == 3, let fired = Int(words[0]) else { return nil }
        self.init(fired: fired, late: words.dropFirst().compactMap { Double($0) })
        if late.count != 2 { return nil }
    }

    package init(fired: Int, late: [Double]) { (self.fired, self.late) = (fired, late) }
}
