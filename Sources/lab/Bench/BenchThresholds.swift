import Foundation
import MigrationCore

/// Ceilings of figures, in a file: a figure may get worse only in a commit that edits it.
package struct BenchThresholds: Codable {
    package var ceilings: [Ceiling]

    package init(ceilings: [Ceiling]) { self.ceilings = ceilings }

    package struct Ceiling: Codable {
        package var system: BenchWay
        /// Nil holds for every size, every rate.
        var mebibytes: Int?
        var rate: Int?
        var measure: Measure
        package var ceiling: Double

        package init(
            system: BenchWay, mebibytes: Int? = nil, measure: Measure, ceiling: Double
        ) {
            (self.system, self.mebibytes) = (system, mebibytes)
            (self.measure, self.ceiling) = (measure, ceiling)
        }

        package enum CodingKeys: String, CodingKey {
            case system, measure, ceiling
            case mebibytes = "size_mib"
            case rate = "pages_per_s"
        }
    }

    /// Ratios within one run, which depend less on the machine than seconds do.
    package enum Measure: String, Codable, CaseIterable {
        case againstStopAndCopy = "blackout_against_stop_and_copy"
        case againstBestPeer = "blackout_against_best_peer"
        /// At the same rate.
        case againstSmallest = "blackout_against_smallest_size"
        case wireOverMemory = "wire_over_memory"
        case processorPerGibibyte = "cpu_s_per_gib"
        case blackout = "blackout_ms"
    }

    package static func read(_ path: String) throws -> BenchThresholds {
        let bytes = try Data(contentsOf: URL(filePath: path))
        return try JSONDecoder().decode(BenchThresholds.self, from: bytes)
    }

    /// One line for each figure above its ceiling. What the report has not measured is no breach.
    package func breaches(in report: BenchReport) -> [String] {
        ceilings.flatMap { ceiling in
            report.rows.filter(ceiling.concerns).compactMap { row in
                guard let value = report.value(ceiling.measure, of: row), value > ceiling.ceiling
                else { return nil }
                let place = "\(row.system.rawValue) at \(row.mebibytes) MiB, \(row.rate) pages/s"
                let figures = String(format: "%.2f is more than %.2f", value, ceiling.ceiling)
                return "\(place): \(ceiling.measure.rawValue) \(figures)"
            }
        }
    }
}

extension BenchThresholds.Ceiling {
    func concerns(_ row: BenchRow) -> Bool {
        row.system == system && (mebibytes ?? row.mebibytes) == row.mebibytes
            && (rate ?? row.rate) == row.rate
    }
}

extension BenchReport {
    /// Nil where the run has nothing to compare with.
    func value(_ measure: BenchThresholds.Measure, of row: BenchRow) -> Double? {
        switch measure {
        case .againstStopAndCopy: row.againstStopAndCopy
        case .againstBestPeer: row.againstBestPeer
        case .againstSmallest: againstSmallest(row)
        case .wireOverMemory: row.wireOverMemory
        case .processorPerGibibyte: row.processorPerGibibyte
        case .blackout: row.blackoutMilliseconds
        }
    }

    private func againstSmallest(_ row: BenchRow) -> Double? {
        let smallest = rows.filter { $0.system == row.system && $0.rate == row.rate }
            .min { $0.mebibytes < $1.mebibytes }
        guard let smallest, smallest.mebibytes < row.mebibytes, smallest.blackoutMilliseconds > 0
        else { return nil }
        return row.blackoutMilliseconds / smallest.blackoutMilliseconds
    }
}
