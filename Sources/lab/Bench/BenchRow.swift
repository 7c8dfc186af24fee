import Foundation
package import MigrationCore
package import TestSupport

/// Medians over the moves of one workload in one way.
package struct BenchRow: Codable, Sendable {
    package let system: BenchWay
    package let mebibytes: Int
    package let rate: Int
    package let moves: Int
    package let totalMilliseconds: Double
    package let downtimeMilliseconds: Double
    /// The median of the longest pauses, and the longest of all.
    package let blackoutMilliseconds: Double
    package let longestBlackoutMilliseconds: Double
    /// Every pause of the client above 20 ms, move by move.
    package let pausesMilliseconds: [[Double]]
    /// What left the source during the move, with all headers, the root filesystem and the
    /// answers to the client.
    package let wireBytes: UInt64
    /// What the mover itself counts, by kind.
    package let sentBytes: [String: UInt64]
    package let processorSource: Double
    package let processorTarget: Double
    /// The workload's own cgroup, in which CRIU's restorer fills memory.
    package let processorInstanceSource: Double
    package let processorInstanceTarget: Double
    /// The most of all moves: bytes of `source_daemon`, `target_daemon`, `target_monitor`.
    package let peakResident: [String: UInt64]
    /// The most that was charged to all tools of `source` and `target`, in bytes.
    package let peakMemory: [String: UInt64]
    package let rounds: Int
    package let downtimeParts: [String: Double]
    package let repliesLost: Int
    package let connectionAlive: Bool
    package let wrongPages: Int
    /// Its blackout as a share of that of stop and copy, and of the best other system, at the same
    /// size and rate of the same run.
    package var againstStopAndCopy: Double?
    package var againstBestPeer: Double?

    package enum CodingKeys: String, CodingKey {
        case system, moves, rounds
        case mebibytes = "size_mib"
        case rate = "pages_per_s"
        case totalMilliseconds = "total_ms"
        case downtimeMilliseconds = "downtime_ms"
        case blackoutMilliseconds = "blackout_ms"
        case longestBlackoutMilliseconds = "longest_blackout_ms"
        case pausesMilliseconds = "pauses_ms"
        case wireBytes = "wire_bytes"
        case sentBytes = "sent_bytes"
        case processorSource = "cpu_s_source"
        case processorTarget = "cpu_s_target"
        case processorInstanceSource = "cpu_s_instance_source"
        case processorInstanceTarget = "cpu_s_instance_target"
        case peakResident = "peak_rss"
        case peakMemory = "peak_memory"
        case downtimeParts = "downtime_parts_ms"
        case repliesLost = "replies_lost"
        case connectionAlive = "connection_alive"
        case wrongPages = "wrong_pages"
        case againstStopAndCopy = "against_stop_and_copy"
        case againstBestPeer = "against_best_peer"
    }

    package init(_ item: BenchCase, samples: [BenchSample], testimony: Testimony, wrongPages: Int) {
        (system, mebibytes, rate) = (item.way, item.mebibytes, item.rate)
        moves = samples.count
        totalMilliseconds = median(samples.map(\.figures.totalMilliseconds))
        downtimeMilliseconds = median(samples.map(\.figures.downtimeMilliseconds))
        pausesMilliseconds = samples.map { testimony.pauses(from: $0.start, to: $0.end) }
        let longest = pausesMilliseconds.map { $0.max() ?? 0 }
        blackoutMilliseconds = median(longest)
        longestBlackoutMilliseconds = longest.max() ?? 0
        wireBytes = UInt64(median(samples.map { Double($0.wireBytes) }))
        sentBytes = medians(samples.map { $0.figures.sent.mapValues { Double($0) } })
            .mapValues { UInt64($0) }
        processorSource = median(samples.map(\.processorSource))
        processorTarget = median(samples.map(\.processorTarget))
        processorInstanceSource = median(samples.map(\.instanceSource))
        processorInstanceTarget = median(samples.map(\.instanceTarget))
        peakResident = maxima(samples.map(\.peakResident))
        peakMemory = maxima(samples.map(\.peakMemory))
        rounds = Int(median(samples.map { Double($0.figures.rounds) }))
        downtimeParts = medians(samples.map(\.figures.parts))
        repliesLost = testimony.repliesLost
        connectionAlive = testimony.connectionAlive
        self.wrongPages = wrongPages
    }

    package var isWhole: Bool { repliesLost == 0 && connectionAlive && wrongPages == 0 }

    /// What another system loses is told, but is not this project's failure.
    package var isGood: Bool { isWhole || system.isPeer }

    /// Bytes on the wire over memory and what the workload wrote until it was frozen, which counts
    /// a page as often as it was written.
    package var wireOverMemory: Double {
        let seconds = max(0, totalMilliseconds - downtimeMilliseconds) / 1000
        let written = Double(rate) * 4096 * seconds
        return Double(wireBytes) / (Double(mebibytes) * 1_048_576 + written)
    }

    /// Processor seconds of both sides for each GiB of memory.
    var processorPerGibibyte: Double {
        (processorSource + processorTarget) * 1024 / Double(mebibytes)
    }

    static let head =
        "way             MiB  pages/s  total  downtime  blackout  longest  rounds     wire"
        + "  cpu source  target"

    package var text: String {
        let figures = String(
            format: "%5d %8d %6.0f %9.0f %9.0f %8.0f %7d %4.0f MiB %9.2f s %5.2f s", mebibytes,
            rate, totalMilliseconds, downtimeMilliseconds, blackoutMilliseconds,
            longestBlackoutMilliseconds, rounds, Double(wireBytes) / 1_048_576, processorSource,
            processorTarget)
        let name = system.rawValue.padding(toLength: 14, withPad: " ", startingAt: 0)
        guard !isWhole else { return name + figures }
        let connection = connectionAlive ? "" : ", connection broken"
        return name + figures
            + "  NOT GOOD: \(wrongPages) wrong pages, \(repliesLost) replies lost\(connection)"
    }
}

extension Testimony {
    /// All pauses that began during a move, in their order. A reply may be a few milliseconds old
    /// when the move begins.
    package func pauses(from start: Timestamp, to end: Timestamp) -> [Double] {
        gaps.filter { $0.start.milliseconds >= start.milliseconds - 50 && $0.start <= end }
            .map { ($0.milliseconds * 10).rounded() / 10 }
    }
}

func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2)
        ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}

/// For each key the median over those that have it.
func medians(_ values: [[String: Double]]) -> [String: Double] {
    Dictionary(grouping: values.flatMap { $0 }, by: \.key).mapValues { pairs in
        median(pairs.map(\.value))
    }
}

private func maxima(_ values: [[String: UInt64]]) -> [String: UInt64] {
    Dictionary(grouping: values.flatMap { $0 }, by: \.key).mapValues { pairs in
        pairs.map(\.value).max() ?? 0
    }
}
