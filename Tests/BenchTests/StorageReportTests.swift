import Foundation
import MigrationCore
import Testing
import lab

/// What `lab storage` writes and prints.
@Suite struct StorageReportTests {
    private func way(_ driver: String, _ way: String, passed: Bool = true) -> StorageRow {
        StorageRow(
            driver: driver, way: way, passed: passed, seconds: 1.25, wireBytes: 3 << 20,
            changedBytes: 1 << 20)
    }

    private func writer(_ driver: String, records: Int = 7, lost: Int = 0) -> WriterRow {
        WriterRow(
            driver: driver, moves: 2, seconds: 3, downtimeMilliseconds: 99, records: records,
            lost: lost, doubled: 0, torn: 0, differing: 0)
    }

    @Test func `figures of one driver take the place of its earlier ones`() {
        var report = StorageReport()
        report.put([way("btrfs", "first move"), way("rsync", "first move")])
        report.put([way("directory", "first move"), way("rsync", "first move")])
        report.put(writer("btrfs", records: 1))
        report.put(writer("btrfs", records: 2))
        #expect(report.cases.map(\.driver) == ["btrfs", "directory", "rsync"])
        #expect(report.writers.map(\.records) == [2])
    }

    @Test func `what is lost, or never written, is a failure of its driver`() {
        var report = StorageReport()
        report.put([way("btrfs", "move back", passed: false)])
        report.put(writer("btrfs", lost: 1))
        report.put(writer("directory", records: 0))
        #expect(report.failures(of: [.btrfs]).count == 2)
        #expect(report.failures(of: [.directory]).count == 1)
        #expect(report.failures(of: [.zfs]) == [])
    }

    @Test func `names in the file are those of the issue, and the table is for people`() throws {
        var report = StorageReport()
        report.put([way("btrfs", "move back")])
        report.put(writer("btrfs"))
        let text = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
        for name in ["case", "wire_bytes", "changed_bytes", "passed", "lost", "doubled", "torn"] {
            #expect(text.contains("\"\(name)\""))
        }
        #expect(report.table.contains("| btrfs | move back | 1.2 | 3.0 | 1.0 |"))
        #expect(report.table.contains("| btrfs | 2 | 99.0 | 7 | 0 | 0 | 0 | 0 |"))
    }
}
