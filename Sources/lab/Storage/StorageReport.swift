import Foundation
package import MigrationCore

/// One way of a volume, by a driver or by plain rsync.
package struct StorageRow: Codable, Equatable, Sendable {
    package var driver: String
    package var way: String
    package var passed: Bool
    package var seconds: Double
    /// Both ways, all that travels.
    package var wireBytes: UInt64
    /// What had changed since the way before; all of it the first time.
    package var changedBytes: UInt64

    enum CodingKeys: String, CodingKey {
        case driver, passed, seconds
        case way = "case"
        case wireBytes = "wire_bytes"
        case changedBytes = "changed_bytes"
    }

    package init(
        driver: String, way: String, passed: Bool, seconds: Double, wireBytes: UInt64,
        changedBytes: UInt64
    ) {
        self.driver = driver
        self.way = way
        self.passed = passed
        self.seconds = seconds
        self.wireBytes = wireBytes
        self.changedBytes = changedBytes
    }
}

/// A container that has written records while it moved.
package struct WriterRow: Codable, Equatable, Sendable {
    package var driver: String
    package var passed: Bool
    package var moves: Int
    package var seconds: Double
    package var downtimeMilliseconds: Double
    package var records: Int
    package var lost: Int
    package var doubled: Int
    package var torn: Int
    /// Files that are not what the container's memory says.
    package var differing: Int

    enum CodingKeys: String, CodingKey {
        case driver, passed, moves, seconds, records, lost, doubled, torn, differing
        case downtimeMilliseconds = "downtime_ms"
    }

    package init(
        driver: String, moves: Int, seconds: Double, downtimeMilliseconds: Double, records: Int,
        lost: Int, doubled: Int, torn: Int, differing: Int
    ) {
        self.driver = driver
        passed = records > 0 && lost + doubled + torn + differing == 0
        self.moves = moves
        self.seconds = seconds
        self.downtimeMilliseconds = downtimeMilliseconds
        self.records = records
        self.lost = lost
        self.doubled = doubled
        self.torn = torn
        self.differing = differing
    }
}

/// What `.results/storage.json` holds.
package struct StorageReport: Codable, Sendable {
    package var cases: [StorageRow] = []
    package var writers: [WriterRow] = []

    package init() {}

    /// Earlier figures; none if they cannot be read.
    static func read(from path: String) -> StorageReport {
        let data = FileManager.default.contents(atPath: path) ?? Data()
        return (try? JSONDecoder().decode(StorageReport.self, from: data)) ?? StorageReport()
    }

    /// In place of earlier ones of the same driver and case.
    package mutating func put(_ rows: [StorageRow]) {
        cases.removeAll { old in
            rows.contains { $0.driver == old.driver && $0.way == old.way }
        }
        cases += rows
    }

    package mutating func put(_ row: WriterRow) {
        writers.removeAll { $0.driver == row.driver }
        writers.append(row)
    }

    package func failures(of kinds: [PoolKind]) -> [String] {
        let names = Set(kinds.map(\.rawValue))
        return cases.filter { names.contains($0.driver) && !$0.passed }
            .map { "\($0.driver): the trees differ after the \($0.way)" }
            + writers.filter { names.contains($0.driver) && !$0.passed }
            .map { "\($0.driver): records of the writer are not whole" }
    }

    /// For people.
    package var table: String {
        let ways = cases.map(line)
        let records = writers.map(line)
        let first = [
            "| driver | case | seconds | on the wire, MiB | changed, MiB |",
            "|---|---|--:|--:|--:|",
        ]
        let second = [
            "| driver | moves | downtime, ms | records | lost | doubled | torn | differing |",
            "|---|--:|--:|--:|--:|--:|--:|--:|",
        ]
        let blank = ways.isEmpty || records.isEmpty ? [] : [""]
        let lines =
            (ways.isEmpty ? [] : first + ways) + blank + (records.isEmpty ? [] : second + records)
        return lines.joined(separator: "\n")
    }

    private func line(_ row: StorageRow) -> String {
        let cells = [
            row.driver, row.way, decimal(row.seconds), decimal(mebibytes(row.wireBytes)),
            decimal(mebibytes(row.changedBytes)),
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    private func line(_ row: WriterRow) -> String {
        let counts = [row.records, row.lost, row.doubled, row.torn, row.differing]
        let cells = [row.driver, "\(row.moves)", decimal(row.downtimeMilliseconds)]
        return "| " + (cells + counts.map(String.init)).joined(separator: " | ") + " |"
    }
}

private func mebibytes(_ bytes: UInt64) -> Double { Double(bytes) / 1_048_576 }
private func decimal(_ value: Double) -> String { String(format: "%.1f", value) }
