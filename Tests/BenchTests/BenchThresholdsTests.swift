import Foundation
import Testing
import lab

@Suite struct BenchThresholdsTests {
    @Test func `the committed ceilings are read, and each concerns a way of Godwit's`() throws {
        let file = packageRoot.appending(path: "bench-thresholds.json").path()
        let thresholds = try BenchThresholds.read(file)
        #expect(thresholds.ceilings.count >= 10)
        for ceiling in thresholds.ceilings {
            #expect(!ceiling.system.isPeer && ceiling.ceiling > 0)
        }
    }

    @Test func `the committed figures are within the committed ceilings`() throws {
        let file = packageRoot.appending(path: "bench-thresholds.json").path()
        let figures = packageRoot.appending(path: BenchReport.folder + "/bench.json").path()
        let report = try BenchReport.read(figures)
        #expect(try BenchThresholds.read(file).breaches(in: report) == [])
    }

    @Test func `a figure above its ceiling is named with its row`() {
        let thresholds = BenchThresholds(ceilings: [
            .init(system: .godwit, mebibytes: 256, measure: .againstStopAndCopy, ceiling: 0.4)
        ])
        #expect(
            thresholds.breaches(in: sampleReport) == [
                "godwit at 256 MiB, 0 pages/s: blackout_against_stop_and_copy 0.50 is more than"
                    + " 0.40",
                "godwit at 256 MiB, 5000 pages/s: blackout_against_stop_and_copy 0.50 is more than"
                    + " 0.40",
            ])
    }

    @Test func `a figure at its ceiling holds, and what was not measured is no breach`() {
        let thresholds = BenchThresholds(ceilings: [
            .init(system: .godwit, measure: .againstStopAndCopy, ceiling: 0.5),
            .init(system: .godwit, measure: .againstSmallest, ceiling: 1),
            .init(system: .godwit, mebibytes: 8192, measure: .blackout, ceiling: 1),
            .init(system: .noHold, measure: .blackout, ceiling: 1),
        ])
        #expect(thresholds.breaches(in: sampleReport).isEmpty)
    }

    @Test(arguments: BenchThresholds.Measure.allCases)
    private func `every measure finds a row that is too much`(measure: BenchThresholds.Measure) {
        let thresholds = BenchThresholds(ceilings: [
            .init(system: .godwit, mebibytes: 256, measure: measure, ceiling: 0.001)
        ])
        #expect(thresholds.breaches(in: sampleReport).count == 2)
    }
}
