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
        return Journey(reports: [report], answers: answers, testimony: testimony)
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
}
