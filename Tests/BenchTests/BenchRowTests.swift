import Foundation
import MigrationCore
import TestSupport
import Testing
import lab

@Suite struct BenchRowTests {
    @Test func `a row has the median and the longest of the longest pauses, and all of them`() {
        let row = row(.godwit, 64, 0, blackouts: [200, 300, 250])
        #expect(row.blackoutMilliseconds == 250)
        #expect(row.longestBlackoutMilliseconds == 300)
        #expect(row.pausesMilliseconds == [[200, 25], [300, 25], [250, 25]])
        #expect(row.downtimeParts == ["restore": 1])
        #expect(row.peakResident == ["source_daemon": 3 << 20])
    }

    @Test func `a pause counts for the move in which it began`() {
        var testimony = Testimony()
        for start in [900, 960, 5000, 5001] as [Int64] {
            testimony.note(
                reply: 1, after: 0, start: Timestamp(milliseconds: start),
                milliseconds: Double(start))
        }
        let pauses = testimony.pauses(
            from: Timestamp(milliseconds: 1000), to: Timestamp(milliseconds: 5000))
        #expect(pauses == [960, 5000])
    }

    @Test func `a row in JSON has the keys that readers look for`() throws {
        var report = BenchReport(rows: [])
        report.add(row(.godwit, 64, 5000, blackouts: [200]))
        report.add(row(.stopAndCopy, 64, 5000, blackouts: [400]))
        let file = FileManager.default.temporaryDirectory
            .appending(path: "godwit-bench-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try report.write(to: file.path())
        let text = try String(contentsOf: file, encoding: .utf8)
        for key in [
            "system", "size_mib", "pages_per_s", "total_ms", "downtime_ms", "blackout_ms",
            "pauses_ms", "wire_bytes", "cpu_s_source", "cpu_s_target", "peak_rss",
            "against_stop_and_copy",
        ] {
            #expect(text.contains("\"\(key)\""), "\(key)")
        }
        let again = try BenchReport.read(file.path())
        #expect(again.rows.map(\.againstStopAndCopy) == [0.5, 1])
        #expect(again.rows[0].sentBytes == ["memory": 4096])
    }

    @Test func `a blackout is compared with those of the same size and rate`() {
        let row = sampleReport.rows[0]
        #expect(row.againstStopAndCopy == 0.5)
        #expect(row.againstBestPeer == 0.25)
        var alone = BenchReport(rows: [row])
        alone.add(sampleReport.rows[5])
        #expect(alone.rows[0].againstStopAndCopy == nil)
    }

    @Test func `wire is held against memory and what was written meanwhile`() {
        // 700 pages in the 0.7 s of the sample's move before its downtime.
        let row = row(.godwit, 4, 1000, blackouts: [200], wire: (4 << 20) + 700 * 4096)
        #expect(row.wireOverMemory == 1)
    }

    @Test func `what a peer loses is told but fails nothing`() {
        let lost = BenchRow(
            BenchCase(way: .lxc, mebibytes: 64, rate: 0), samples: [], testimony: Testimony(),
            wrongPages: 3)
        #expect(!lost.isWhole && lost.isGood)
        #expect(lost.text.contains("3 wrong pages"))
        let own = BenchRow(
            BenchCase(way: .godwit, mebibytes: 64, rate: 0), samples: [], testimony: Testimony(),
            wrongPages: 0)
        #expect(!own.isGood)
    }

    @Test func `memory for both hosts is asked for before a case begins`() {
        let item = BenchCase(way: .godwit, mebibytes: 8192, rate: 0)
        #expect(item.neededMebibytes == 20 * 1024)
    }

    @Test func `slow ways are measured at fewer sizes and rates`() {
        let plan = BenchPlan(
            sizes: [64, 256, 1024, 8192], rates: [0, 5000, 50_000], ways: BenchWay.allCases,
            peerSizes: [64, 256, 1024])
        let allButIncus = BenchWay.allCases.filter { $0 != .incus }
        let ways = { (size: Int, rate: Int) in
            plan.cases.filter { $0.mebibytes == size && $0.rate == rate }.map(\.way)
        }
        #expect(ways(64, 0) == allButIncus)
        #expect(ways(256, 5000) == BenchWay.allCases)
        #expect(ways(1024, 0) == allButIncus.filter { !$0.isPeer })
        #expect(ways(1024, 5000) == allButIncus)
        #expect(ways(8192, 5000) == [.godwit, .stopAndCopy, .postCopy, .hybrid])
        #expect(ways(8192, 50_000) == [.godwit, .hybrid])
    }
}
