import Foundation
package import MigrationCore

/// What `.results/storage.json` holds.
package struct StorageReport: Codable, Sendable {
    package var cases: [StorageRow] = []
    package var writers: [WriterRow] = []
    package var conformance: [ConformanceRow] = []

    package init() {}

    /// Files of earlier versions lack a part.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        cases = try values.decodeIfPresent([StorageRow].self, forKey: .cases) ?? []
        writers = try values.decodeIfPresent([WriterRow].self, forKey: .writers) ?? []
        conformance =
            try values.decodeIfPresent([ConformanceRow].self, forKey: .conformance) ?? []
    }

    /// Earlier figures; none if there is no file.
    ///
    /// - Throws: if there is one that cannot be read.
    package static func read(from path: String) throws -> StorageReport {
        guard FileManager.default.fileExists(atPath: path) else { return StorageReport() }
        let data = try Data(contentsOf: URL(filePath: path))
        return try JSONDecoder().decode(StorageReport.self, from: data)
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

    /// In place of earlier ones of the same case and kinds.
    package mutating func put(_ rows: [ConformanceRow]) {
        conformance.removeAll { old in rows.contains { $0.isSame(as: old) } }
        conformance += rows
    }

    package func failures(of kinds: [PoolKind]) -> [String] {
        let names = Set(kinds.map(\.rawValue))
        return cases.filter { names.contains($0.driver) && !$0.passed }
            .map { "\($0.driver): \($0.way): the trees differ" }
            + writers.filter { names.contains($0.driver) && !$0.passed }
            .map { "\($0.driver): records of the writer are not whole" }
    }

    /// For people.
    package var table: String {
        let ways = cases.map(\.driver).withoutRepeats.flatMap { driver in
            cases.filter { $0.driver == driver }.map(line)
        }
        let records = writers.map(line)
        let first = [
            "| driver | case | seconds | on the wire, MiB | changed, MiB |",
            "|---|---|--:|--:|--:|",
        ]
        let second = [
            "| driver | moves | passes, MiB | delta, MiB | downtime, ms | records | lost | doubled "
                + "| torn | differing |",
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        ]
        let blank = ways.isEmpty || records.isEmpty ? [] : [""]
        let lines =
            (ways.isEmpty ? [] : first + ways) + blank + (records.isEmpty ? [] : second + records)
        return lines.joined(separator: "\n")
    }

    /// Cases by kinds of pools, with seconds.
    package var conformanceTable: String {
        let pairings = conformance.map(\.pairing).withoutRepeats
        let lines = conformance.map(\.name).withoutRepeats.map { name in
            [name]
                + pairings.map { pairing in
                    let row = conformance.first { $0.name == name && $0.pairing == pairing }
                    return row.map { $0.passed ? decimal($0.seconds) : "FAILED" } ?? ""
                }
        }
        let head = [
            "| case | " + pairings.joined(separator: " | ") + " |",
            "|---|" + String(repeating: "--:|", count: pairings.count),
        ]
        return (head + lines.map { "| " + $0.joined(separator: " | ") + " |" })
            .joined(separator: "\n")
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
        let bytes = [row.passesBytes, row.deltaBytes].map {
            $0.map { decimal(mebibytes($0)) } ?? ""
        }
        let cells =
            [row.driver, "\(row.moves)"] + bytes + [decimal(row.downtimeMilliseconds)]
        return "| " + (cells + counts.map(String.init)).joined(separator: " | ") + " |"
    }
}

private func mebibytes(_ bytes: UInt64) -> Double { Double(bytes) / 1_048_576 }
private func decimal(_ value: Double) -> String { String(format: "%.1f", value) }

extension [String] {
    fileprivate var withoutRepeats: [String] {
        reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
