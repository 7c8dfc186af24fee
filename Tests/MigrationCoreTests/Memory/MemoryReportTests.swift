import Foundation
import MigrationCore
import Testing

@Suite struct MemoryReportTests {
    @Test func `a report keeps the first round and the latest ones`() {
        var report = MemoryReport()
        for number in 1...1_000 {
            report.add(
                MemoryReport.Round(
                    number: number, pages: 1, zeroPages: 0, repeatedPages: 0, bytes: 4_096,
                    milliseconds: 2))
        }
        #expect(report.rounds.count == Limit.roundsReported)
        #expect(report.roundsLeftOut == 1_000 - Limit.roundsReported)
        #expect(report.rounds.first?.number == 1)
        #expect(report.rounds.last?.number == 1_000)
        #expect(report.rounds.last?.rate == 2_048_000)
    }

    @Test func `trackers are counted by reason, and reasons are bounded`() {
        var report = MemoryReport()
        report.add(tracker: "write-protect", reason: "the kernel has it", tasks: 3)
        report.add(tracker: "write-protect", reason: "the kernel has it")
        for number in 0..<100 { report.add(tracker: "hash", reason: "reason \(number)") }
        #expect(report.trackers.first?.tasks == 4)
        #expect(report.trackers.count == Limit.trackerReasons)
        #expect(report.trackers.reduce(0) { $0 + $1.tasks } == 104)
    }

    @Test func `reports and options come back from JSON as they were`() throws {
        var report = MemoryReport()
        report.verdict = PrecopyVerdict(.freeze, "enough", prediction: 120)
        report.outcome = 131
        report.add(tracker: "hash", reason: "an old kernel")
        let options = try MemoryOptions(
            downtimeBudget: 10, rounds: 3, deadline: 4, atDeadline: .postcopy, throttle: true,
            streams: 4, compression: .never)
        #expect(try roundTrip(report) == report)
        #expect(try roundTrip(options) == options)
    }

    @Test func `options that are missing are the standard ones`() throws {
        #expect(try decode("{}") == MemoryOptions.standard)
        #expect(try MemoryOptions() == MemoryOptions.standard)
    }

    @Test(arguments: [
        "{\"rounds\": 1001}", "{\"rounds\": -1}", "{\"streams\": 0}", "{\"streams\": 17}",
        "{\"downtimeBudget\": -1}", "{\"deadline\": -0.1}",
    ])
    func `options that make no sense are refused`(text: String) {
        #expect(throws: GodwitError.self) { try decode(text) }
    }

    @Test func `what is measured blends with what was known`() {
        let cost = FreezeCost(freeze: 10, dump: 20, restore: 30, overlapped: 40)
        let other = FreezeCost(freeze: 20, dump: 40, restore: 50, overlapped: 0)
        #expect(
            cost.blended(with: other)
                == FreezeCost(
                    freeze: 15, dump: 30, restore: 40, overlapped: 20))
        #expect(cost.downtime(sending: 30) == 60)
        #expect(cost.downtime(sending: 100) == 120)
    }

    private func decode(_ text: String) throws -> MemoryOptions {
        try JSONDecoder().decode(MemoryOptions.self, from: Data(text.utf8))
    }

    private func roundTrip<Value: Codable>(_ value: Value) throws -> Value {
        try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(value))
    }

    @Test func `a report tells what a freeze costs without its pages`() throws {
        var report = MigrationReport(
            id: try MigrationID(String(repeating: "0", count: 32)), side: .source,
            instance: try InstanceName("web"), newName: try InstanceName("web"), peer: "b",
            mode: .live, started: Timestamp(milliseconds: 0))
        report.status = .succeeded
        report.downtimeMilliseconds = 500
        report.downtime = [
            "freeze": 1, "checkpoint": 70, "delta": 80, "images": 30, "memory": 250,
            "restore": 90, "network": 9,
        ]
        #expect(FreezeCost(report) == nil, "no memory went ahead")
        report.memory = MemoryReport()
        // 150 of the 250 ms for pages were waited for, 100 went beside the dump and its images.
        #expect(
            FreezeCost(report) == FreezeCost(freeze: 1, dump: 250, restore: 99, overlapped: 100))
        report.status = .failed
        #expect(FreezeCost(report) == nil)
    }
}
