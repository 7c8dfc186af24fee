import Foundation
import MigrationCore
import Testing

@Suite struct DocumentationTests {
    @Test func `every check is in the documentation, in its order, and nothing else`() throws {
        let rows = try rows(of: "checks.md")
        let kinds = Set(ObstacleKind.allCases.map(\.rawValue))
        let names = rows.map { word($0[0]) }.filter { !$0.isEmpty && !kinds.contains($0) }
        #expect(names == Checks.all.map(\.name))
    }

    @Test func `every kind of obstacle is in the documentation`() throws {
        let names = Set(try rows(of: "checks.md").map { word($0[0]) })
        for kind in ObstacleKind.allCases { #expect(names.contains(kind.rawValue)) }
    }

    @Test func `every row of a check says whether it refuses or warns`() throws {
        let rows = try rows(of: "checks.md").filter { $0.count == 5 }
        #expect(rows.count >= Checks.all.count)
        for row in rows { #expect(row[2].contains("refusal") || row[2].contains("warning")) }
    }

    @Test func `every error code is documented with the numbers of the code`() throws {
        let rows = try rows(of: "errors.md")
        let documented = rows.map { row in
            "\(word(row[0])) \(row[2]) \(row[3]) \(row[4])"
        }
        let codes = GodwitError.Code.allCases.map { code in
            "\(code.rawValue) \(code.exitStatus) \(code.httpStatus) \(code.recovery.rawValue)"
        }
        #expect(documented == codes)
        for row in rows { #expect(!row[1].isEmpty && !row[5].isEmpty) }
    }
}

/// The cells of all table rows of a page, without the heads of the tables.
private func rows(of page: String) throws -> [[String]] {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "docs/\(page)"), encoding: .utf8)
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("|") }
    let heads = lines.indices.filter { lines[$0].hasPrefix("|---") }.flatMap { [$0, $0 - 1] }
    return lines.indices.filter { !heads.contains($0) }.map { index in
        lines[index].split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
            .map { $0.trimmingCharacters(in: .whitespaces) }
    }
}

/// What stands between the code marks of a cell.
private func word(_ cell: String) -> String { cell.filter { $0 != "`" } }
