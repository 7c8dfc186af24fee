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
            driver: driver, moves: 2, seconds: 3, downtimeMilliseconds: 99, passesBytes: 5 << 20,
            deltaBytes: 1 << 19, records: records, lost: lost, doubled: 0, torn: 0, differing: 0)
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
        #expect(report.table.contains("| btrfs | 2 | 5.0 | 0.5 | 99.0 | 7 | 0 | 0 | 0 | 0 |"))
    }

    @Test func `files of an earlier version, and none, are read; a broken one is not`() throws {
        let path = FileManager.default.temporaryDirectory.path + "/storage-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try StorageReport.read(from: path).cases.isEmpty)
        try Data(#"{"cases": [], "writers": []}"#.utf8).write(to: URL(filePath: path))
        #expect(try StorageReport.read(from: path).conformance.isEmpty)
        try Data("{".utf8).write(to: URL(filePath: path))
        #expect(throws: (any Error).self) { try StorageReport.read(from: path) }
    }

    @Test func `a driver's cases stand together in the table`() throws {
        var report = StorageReport()
        report.put([way("rsync", "first move"), way("btrfs", "first move")])
        report.put([way("rsync", "move back"), way("btrfs", "move back")])
        let drivers = report.table.split(separator: "\n").dropFirst(2).map {
            $0.split(separator: " ")[1]
        }
        #expect(drivers == ["rsync", "rsync", "btrfs", "btrfs"])
    }

    @Test func `cases have the names of what is in them`() {
        #expect(StorageFiles.small(100_000).title == "100,000 small files")
        #expect(StorageFiles.small(999).title == "999 small files")
        #expect(StorageFiles.small(1_002_003).title == "1,002,003 small files")
        #expect(StorageFiles.one(mebibytes: 4_096).title == "one file of 4 GiB")
        #expect(StorageFiles.one(mebibytes: 1_500).title == "one file of 1500 MiB")
        #expect(StorageFiles.small(100).bytes == 200 << 10)
        #expect(StorageFiles.one(mebibytes: 4_096).bytes == 4 << 30)
    }
}
