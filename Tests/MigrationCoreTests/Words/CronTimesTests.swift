import MigrationCore
import Testing

@Suite struct CronTimesTests {
    /// Friday, 27 November, at 13:45.
    private let now = CalendarMinute(minute: 45, hour: 13, day: 27, month: 11, weekday: 5)

    @Test(arguments: [
        "* * * * *", "45 13 * * *", "*/15 * * * *", "5/20 * * * *", "40-50/5 9-17 * 11 *",
        "0,45 13 27 11 5", "45 13 * * 1-5", "45 13 1 * 5", "45 13 27 * 0", "45  13 * * *",
        "45 13 27 1-12 *", "45 13 */2 * *",
    ])
    func `a minute is one of them`(text: String) throws {
        #expect(try CronTimes(text).contains(now))
    }

    @Test(arguments: [
        "44 13 * * *", "45 12 * * *", "*/20 * * * *", "45 13 1 * 4", "45 13 27 10 *",
        "45 13 * * 0,6", "45 13 26 11 *", "@hourly", "@daily", "@weekly", "@monthly", "@yearly",
        "45 13 */2 * 4",
    ])
    func `a minute is none of them`(text: String) throws {
        #expect(try !CronTimes(text).contains(now))
    }

    @Test func `Sunday has two numbers, and short words say what they mean`() throws {
        let start = CalendarMinute(minute: 0, hour: 0, day: 1, month: 1, weekday: 0)
        let texts = [
            "0 0 * * 0", "0 0 * * 7", "0 0 * * 5-7", "@hourly", "@daily", "@midnight", "@weekly",
            "@monthly", "@yearly", "@annually",
        ]
        for text in texts { #expect(try CronTimes(text).contains(start), "\(text)") }
    }

    @Test(arguments: [
        "", "*", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
        "* * * 13 *", "* * * * 8", "-1 * * * *", "1- * * * *", "5-1 * * * *", "*/0 * * * *",
        "*/x * * * *", "1,,2 * * * *", "1-2-3 * * * *", "@reboot", "daily", "99999999999 * * * *",
        "\u{661} * * * *", String(repeating: "1,", count: 200) + "1 * * * *",
    ])
    func `what names no times is refused`(text: String) {
        let error = #expect(throws: GodwitError.self) { try CronTimes(text) }
        #expect(error?.code == .badRequest && error?.remedy?.contains("@daily") == true)
    }
}
