import Foundation
import MigrationCore
import TestSupport
import Testing

/// Moves `web`, which writes records all the time: they are whole before and after, and more.
///
/// - Parameters:
///   - records: how many there were after an earlier move.
///   - words: what the plan says.
func moveRecords(
    _ lab: Lab, from source: String, to target: String, after records: Int, planned words: [String]
) async throws -> (report: MigrationReport, records: Int) {
    let before = try await RecordProgram.verify("web", on: source, of: lab)
    #expect(before.isWhole && before.records > records, "\(before)")
    let plan = try await lab.check(source, ["move", "web", "host-\(target):", "--dry-run"])
    for word in words { #expect(plan.contains(word)) }
    let moved = try await lab.move("web", from: source, to: target)
    let after = try await RecordProgram.verify("web", on: target, of: lab)
    #expect(after.isWhole && after.records > before.records, "\(after)")
    figure("\(source) to \(target): \(after.records) records", of: moved)
    return (moved, after.records)
}

/// For whoever reads the log.
func figure(_ text: String) {
    FileHandle.standardError.write(Data("figure: \(text)\n".utf8))
}

func figure(_ text: String, of report: MigrationReport) {
    figure("\(text), \(report.downtimeMilliseconds ?? 0) ms, \(report.downtime), \(report.bytes)")
}
