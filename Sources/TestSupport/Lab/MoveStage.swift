import Foundation
package import LinuxHost
package import MigrationCore

/// How far a move has come, as the source's report tells.
package enum MoveStage: String, CaseIterable, Sendable {
    case preparing, sendingVolume, sendingMemory, frozen, handingOver

    package func isReached(by report: MigrationReport) -> Bool {
        let isFrozen = report.downtime["freeze"] != nil
        return switch self {
        case .preparing: report.phase == .prepare
        case .sendingVolume:
            report.phase == .perform && !isFrozen && (report.bytes["volume"] ?? 0) > 0
        case .sendingMemory:
            report.phase == .perform && !isFrozen && report.bytes["memory"] != nil
        case .frozen: report.phase == .perform && isFrozen
        case .handingOver: report.phase >= .finish
        }
    }
}

extension MoveLab {
    /// Starts a move slow enough to be met in every stage, does `harm` once it has come to the
    /// stage or has ended, and returns how the command line ended.
    package func move(
        meeting stage: MoveStage, _ options: [String] = ["--bandwidth", "24MiB"],
        _ harm: () async throws -> Void
    ) async throws -> ToolResult {
        let earlier = try await report("a")?.id
        // A stopped daemon does not answer the offer, so that the move stays in Prepare.
        if stage == .preparing { try await signalTarget(SIGSTOP) }
        async let result = move(options)
        try await eventually("the move is \(stage)", within: 40, log: lab.daemonLog(of: "a")) {
            guard let report = try await report("a"), report.id != earlier else { return false }
            return report.ended != nil || stage.isReached(by: report)
        }
        try await harm()
        if stage == .preparing { try await signalTarget(SIGCONT) }
        return try await result
    }

    private func signalTarget(_ number: Int32) async throws {
        guard let pid = lab.daemonPid(on: "b") else { return }
        try await lab.host("b").check(["sh", "-c", "kill -\(number) \(pid)"])
        guard number == SIGCONT else { return }
        // What started the daemon stops with it, and does not go on by itself.
        let starter = "nsenter --target \(lab.host("b").pid) "
        _ = try await Command("pkill", ["-CONT", "-f", starter]).run()
    }
}
