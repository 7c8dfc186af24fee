import MigrationCore
import TestSupport
import Testing
import lab

/// How moves between two machines are judged.
@Suite struct JourneyTests {
    private func good() throws -> Journey {
        var report = MigrationReport(
            id: try MigrationID(String(repeating: "a", count: 32)), side: .source,
            instance: try InstanceName("oracle"),
            newName: try InstanceName("oracle"), peer: "host-b", mode: .live,
            started: Timestamp(milliseconds: 1_000))
        report.status = .succeeded
        var memory = MemoryReport()
        for (number, pages) in [(1, UInt64(900)), (2, 20)] {
            memory.add(
                MemoryReport.Round(
                    number: number, pages: pages, zeroPages: 0, repeatedPages: 0, bytes: 1,
                    milliseconds: 1))
        }
        memory.add(tracker: "soft-dirty", reason: "", tasks: 2)
        report.memory = memory
        var testimony = Testimony()
        testimony.replies = 100
        testimony.connectionAlive = true
        let answers = [10, 20].map { Oracle.Answer(wrong: 0, checked: 5, tasks: 2, steps: $0) }
        return Journey(
            reports: [report], answers: answers, testimony: testimony, clocks: goodClocks)
    }

    /// Half a second each, with a pause in which the clocks since boot stood still for a part.
    private var goodClocks: JourneyClocks {
        let record = ClockRecord(
            text: """
                7000000000 7000000000 500000000
                7500000000 7500000001 1000000000
                9000000000 9000000000 3000000000
                95000
                """)
        let timers = TimerProgram.kinds.map { ($0, TimerRecord(fired: 9, late: [1_900, 1_600])) }
        return JourneyClocks(
            record: record, timers: Dictionary(uniqueKeysWithValues: timers), boots: [10, 20])
    }

    @Test func `a journey without a fault is good`() throws {
        #expect(try good().faults(tracker: "soft-dirty") == [])
        #expect(try good().lines.first?.contains("900 pages ahead, 20 in the freeze") == true)
    }

    @Test func `another tracker, or none, is a fault`() throws {
        #expect(try good().faults(tracker: "hash") == ["nothing was watched by hash"])
    }

    @Test func `what is wrong, lost, broken or stands is a fault`() throws {
        var journey = try good()
        journey.answers[1].wrong = 3
        journey.answers[1].steps = 10
        journey.testimony.repliesLost = 2
        journey.testimony.connectionAlive = false
        let faults = journey.faults(tracker: "soft-dirty")
        #expect(faults.count == 4 && faults[0] == "3 pages are wrong")
        journey.reports = []
        #expect(journey.faults(tracker: "soft-dirty").first == "nothing has moved")
    }

    @Test func `clocks that jump or step back, and timers that are late or silent, are faults`()
        throws
    {
        var journey = try good()
        journey.clocks.record = ClockRecord(
            text: """
                5000000000 9000000000 500000000
                9000000000 8000000000 1500000000
                """)
        journey.clocks.timers["nanosleep"]?.late[0] = 9_000
        journey.clocks.timers["poll"] = nil
        let faults = journey.faults(tracker: "soft-dirty")
        #expect(faults.count == 4)
        #expect(faults[0].hasPrefix("the monotonic clock went on by 4000 ms"))
        #expect(faults[1].hasPrefix("the boot clock went on by -1000 ms"))
        #expect(faults[2...] == ["nanosleep was 9000.0 ms late", "nothing is known of poll"])
    }

    @Test func `machines booted at the same time, and clocks that were not read, show nothing`()
        throws
    {
        var journey = try good()
        journey.clocks.boots = [10, 12]
        journey.clocks.record = ClockRecord(text: "1 1 1")
        let faults = journey.faults(tracker: "soft-dirty")
        #expect(
            faults == [
                "2 machines, booted 2.0 s apart",
                "no clock was read on both sides of the move at 1000",
            ])
    }
}
