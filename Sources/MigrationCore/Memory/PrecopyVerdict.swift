/// What the policy makes of a scan: what comes next, and why.
package struct PrecopyVerdict: Codable, Equatable, Sendable {
    package enum Step: String, Codable, Sendable, CaseIterable {
        case anotherRound
        /// Over files, and then another round of what was written to memory meanwhile.
        case anotherPass
        case freeze, postcopy, abort
    }

    package let step: Step
    /// A sentence for people.
    package let reason: String
    /// Milliseconds of downtime if the instance were frozen now; for post-copy without the time
    /// for its memory, which follows.
    package let prediction: Double
    /// The part of its processor time that the instance should be left with, so that rounds shrink;
    /// nil for no change.
    package let processorShare: Double?

    package init(
        _ step: Step, _ reason: String, prediction: Double, processorShare: Double? = nil
    ) {
        self.step = step
        self.reason = reason
        self.prediction = prediction
        self.processorShare = processorShare
    }
}

/// Milliseconds of a freeze that do not depend on how much memory is left to send.
package struct FreezeCost: Codable, Equatable, Sendable {
    package var freeze: Double
    package var dump: Double
    package var restore: Double
    /// For so long out of these three pages travel beside.
    package var overlapped: Double

    package init(freeze: Double, dump: Double, restore: Double, overlapped: Double = 0) {
        self.freeze = freeze
        self.dump = dump
        self.restore = restore
        self.overlapped = overlapped
    }

    /// Where nothing has been measured: as on a machine of 2024 (docs/performance.md), with nothing
    /// in the images but a small program.
    package static let unmeasured = FreezeCost(freeze: 2, dump: 60, restore: 65, overlapped: 50)

    /// What a move with rounds has cost; nil if the report is of none, or of one that failed.
    package init?(_ report: MigrationReport) {
        guard report.status == .succeeded, report.memory != nil,
            let total = report.downtimeMilliseconds, let freeze = report.downtime["freeze"]
        else { return nil }
        let part = { report.downtime[$0] ?? 0 }
        let restore = part("restore") + part("network")
        // Pages travel beside these; only what they took longer is theirs.
        let beside = max(part("delta"), part("checkpoint") + part("images"))
        let waited = max(0, part("memory") - beside)
        self.init(
            freeze: freeze, dump: max(0, total - freeze - restore - waited), restore: restore,
            overlapped: beside)
    }

    package var total: Double { freeze + dump + restore }

    /// The downtime if pages take so long to send.
    package func downtime(sending milliseconds: Double) -> Double {
        total + max(0, milliseconds - min(overlapped, total))
    }

    /// The mean of what was measured last and of what was known, so that one odd move does not
    /// decide about the next.
    package func blended(with measured: FreezeCost) -> FreezeCost {
        FreezeCost(
            freeze: (freeze + measured.freeze) / 2, dump: (dump + measured.dump) / 2,
            restore: (restore + measured.restore) / 2,
            overlapped: (overlapped + measured.overlapped) / 2)
    }
}
