/// Minutes at which something is done, as crontab(5) writes them: minute, hour, day of the month,
/// month, day of the week.
///
/// Numbers, `*`, ranges (`1-5`), steps (`*/15`, `8-18/2`) and lists (`0,30`); Sunday is 0 or 7.
/// Where both kinds of day are limited either is enough. `@hourly`, `@daily` (`@midnight`),
/// `@weekly`, `@monthly` and `@yearly` (`@annually`) are short for what they say.
package struct CronTimes: CheckedText {
    package let description: String
    private let minutes: Set<Int>
    private let hours: Set<Int>
    private let daysOfMonth: Set<Int>
    private let months: Set<Int>
    private let daysOfWeek: Set<Int>
    /// Which of both kinds of day are limited.
    private let limitsDayOfMonth: Bool
    private let limitsDayOfWeek: Bool

    package init(_ text: String) throws(GodwitError) {
        let fault = GodwitError(
            .badRequest, "\"\(text.prefix(80))\" names no times",
            remedy: "write minute, hour, day of month, month and day of week, such as "
                + "\"30 3 * * *\", or @hourly, @daily, @weekly, @monthly, @yearly")
        guard text.utf8.count <= Self.longest else { throw fault }
        let fields = (Self.short[text] ?? text).split(separator: " ")
        guard fields.count == 5, let minutes = Self.numbers(fields[0], 0...59),
            let hours = Self.numbers(fields[1], 0...23),
            let daysOfMonth = Self.numbers(fields[2], 1...31),
            let months = Self.numbers(fields[3], 1...12),
            let daysOfWeek = Self.numbers(fields[4], 0...7)
        else { throw fault }
        (self.minutes, self.hours, self.months) = (minutes, hours, months)
        self.daysOfMonth = daysOfMonth
        self.daysOfWeek = Set(daysOfWeek.map { $0 % 7 })
        limitsDayOfMonth = !fields[2].hasPrefix("*")
        limitsDayOfWeek = !fields[4].hasPrefix("*")
        description = text
    }

    /// Whether this minute is one of them.
    package func contains(_ minute: CalendarMinute) -> Bool {
        let (isDay, isWeekday) = (
            daysOfMonth.contains(minute.day), daysOfWeek.contains(minute.weekday)
        )
        let isDue = limitsDayOfMonth && limitsDayOfWeek ? isDay || isWeekday : isDay && isWeekday
        return isDue && minutes.contains(minute.minute) && hours.contains(minute.hour)
            && months.contains(minute.month)
    }

    /// Bytes of a text.
    private static let longest = 200

    private static let short = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
        "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
    ]

    /// The numbers of one field; nil if it is none.
    private static func numbers(_ field: Substring, _ range: ClosedRange<Int>) -> Set<Int>? {
        var all: Set<Int> = []
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            guard let some = stepped(part, range) else { return nil }
            all.formUnion(some)
        }
        return all
    }

    private static func stepped(_ part: Substring, _ range: ClosedRange<Int>) -> Set<Int>? {
        let halves = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = halves.first, let span = span(first, range) else { return nil }
        guard halves.count == 2 else { return Set(span) }
        guard let step = digits(halves[1]), step >= 1 else { return nil }
        // As cron has it: `5/15` is `5-59/15`.
        let isSingle = first != "*" && !first.contains("-")
        let end = isSingle ? range.upperBound : span.upperBound
        return Set(stride(from: span.lowerBound, through: end, by: step))
    }

    private static func span(
        _ text: Substring, _ range: ClosedRange<Int>
    ) -> ClosedRange<Int>? {
        if text == "*" { return range }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map(digits)
        guard ends.count <= 2, let low = ends.first ?? nil, let high = ends.last ?? nil,
            low <= high, range.contains(low), range.contains(high)
        else { return nil }
        return low...high
    }

    private static func digits(_ text: Substring) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ 0x30...0x39 ~= $0 })
        else { return nil }
        return Int(text)
    }
}

/// A minute as a clock on the wall shows it.
package struct CalendarMinute: Hashable, Sendable {
    package var minute: Int
    package var hour: Int
    package var day: Int
    package var month: Int
    /// Sunday is 0.
    package var weekday: Int

    package init(minute: Int, hour: Int, day: Int, month: Int, weekday: Int) {
        self.minute = minute
        self.hour = hour
        self.day = day
        self.month = month
        self.weekday = weekday
    }
}
