import Foundation
import MigrationCore

/// All rows of one run.
package struct BenchReport: Sendable {
    package private(set) var rows: [BenchRow] = []

    package init(rows: [BenchRow]) { for row in rows { add(row) } }

    /// Takes a row in and compares all anew with what stands beside them.
    package mutating func add(_ row: BenchRow) {
        rows.append(row)
        for index in rows.indices {
            let beside = rows.filter {
                $0.mebibytes == rows[index].mebibytes && $0.rate == rows[index].rate
            }
            let base = beside.first { $0.system == .stopAndCopy }
            let best = beside.filter(\.system.isPeer).min {
                $0.blackoutMilliseconds < $1.blackoutMilliseconds
            }
            rows[index].againstStopAndCopy = ratio(rows[index], base)
            rows[index].againstBestPeer = ratio(rows[index], best)
        }
    }

    package static func read(_ path: String) throws -> BenchReport {
        let bytes = try Data(contentsOf: URL(filePath: path))
        return BenchReport(rows: try JSONDecoder().decode([BenchRow].self, from: bytes))
    }

    package func write(to path: String) throws { try writeFigures(rows, to: path) }
}

private func ratio(_ row: BenchRow, _ base: BenchRow?) -> Double? {
    guard let base, base.blackoutMilliseconds > 0 else { return nil }
    return row.blackoutMilliseconds / base.blackoutMilliseconds
}

extension BenchReport {
    package static let page = "docs/performance.md"
    package static let folder = "docs/plots"
    private static let begin = "<!-- written by `lab bench --document` from plots/bench.json -->"
    private static let end = "<!-- end of what `lab bench` writes -->"

    /// Writes the figures, the plots and the table of the page, so that they never differ.
    func document() throws {
        try write(to: Self.folder + "/bench.json")
        for plot in plots {
            try Data(plot.svg.utf8).write(to: URL(filePath: Self.folder + "/" + plot.name))
        }
        let text = try String(contentsOfFile: Self.page, encoding: .utf8)
        try Data(try replacingTable(in: text).utf8).write(to: URL(filePath: Self.page))
    }

    /// The page with this report's table between its two marks.
    ///
    /// - Throws: `badRequest` if the page lacks one.
    package func replacingTable(in page: String) throws -> String {
        guard let begin = page.range(of: Self.begin),
            let end = page.range(of: Self.end, range: begin.upperBound..<page.endIndex)
        else {
            throw GodwitError(
                .badRequest, "\(Self.page) has no place for the bench's table",
                remedy: "put the two marks of BenchReport.swift into it")
        }
        return page[..<begin.upperBound] + "\n\n\(table)\n" + page[end.lowerBound...]
    }
}
