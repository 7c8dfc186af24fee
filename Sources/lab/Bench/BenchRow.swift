import Foundation
import MigrationCore
import TestSupport

/// Medians over the moves of one workload in one way.
struct BenchRow: Codable {
    let system: BenchWay
    let mebibytes: Int
    let rate: Int
    let moves: Int
    let totalMilliseconds: Double
    let downtimeMilliseconds: Double
    /// What the client saw, and the longest of all.
    let blackoutMilliseconds: Double
    let longestBlackoutMilliseconds: Double
    let wireBytes: UInt64
    let rounds: Int
    let downtimeParts: [String: Double]
    let repliesLost: Int
    let connectionAlive: Bool
    let wrongPages: Int

    enum CodingKeys: String, CodingKey {
        case system, moves, rounds
        case mebibytes = "size_mib"
        case rate = "pages_per_s"
        case totalMilliseconds = "total_ms"
        case downtimeMilliseconds = "downtime_ms"
        case blackoutMilliseconds = "blackout_ms"
        case longestBlackoutMilliseconds = "longest_blackout_ms"
        case wireBytes = "wire_bytes"
        case downtimeParts = "downtime_parts_ms"
        case repliesLost = "replies_lost"
        case connectionAlive = "connection_alive"
        case wrongPages = "wrong_pages"
    }

    init(
        _ run: BenchRun, reports: [MigrationReport], blackouts: [Double], testimony: Testimony,
        wrongPages: Int
    ) {
        system = run.way
        mebibytes = run.mebibytes
        rate = run.rate
        moves = reports.count
        totalMilliseconds = median(
            reports.map { Double(($0.ended ?? $0.started).milliseconds - $0.started.milliseconds) })
        downtimeMilliseconds = median(reports.compactMap(\.downtimeMilliseconds))
        blackoutMilliseconds = median(blackouts)
        longestBlackoutMilliseconds = blackouts.max() ?? 0
        wireBytes = UInt64(
            median(
                reports.map { Double(($0.bytes["memory"] ?? 0) + ($0.bytes["checkpoint"] ?? 0)) }))
        rounds = Int(median(reports.map { Double($0.memory?.rounds.count ?? 0) }))
        let parts = Set(reports.flatMap(\.downtime.keys))
        downtimeParts = Dictionary(
            parts.map { part in (part, median(reports.compactMap { $0.downtime[part] })) },
            uniquingKeysWith: { first, _ in first })
        repliesLost = testimony.repliesLost
        connectionAlive = testimony.connectionAlive
        self.wrongPages = wrongPages
    }

    var isGood: Bool { repliesLost == 0 && connectionAlive && wrongPages == 0 }

    static let head =
        "way             MiB  pages/s  total  downtime  blackout  longest  rounds  wire"

    var text: String {
        let wire = Double(wireBytes) / 1_048_576
        let figures = String(
            format: "%5d %8d %6.0f %9.0f %9.0f %8.0f %7d %5.0f MiB", mebibytes, rate,
            totalMilliseconds, downtimeMilliseconds, blackoutMilliseconds,
            longestBlackoutMilliseconds, rounds, wire)
        let name = system.rawValue.padding(toLength: 14, withPad: " ", startingAt: 0)
        return name + figures
            + (isGood ? "" : "  NOT GOOD: \(wrongPages) wrong pages, \(repliesLost) replies lost")
    }

    static func write(_ rows: [BenchRow], to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let place = URL(filePath: path)
        try FileManager.default.createDirectory(
            at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        try encoder.encode(rows).write(to: place)
    }
}

func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2)
        ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
