import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// What one move cost by its mover's own account.
package struct MoveFigures: Sendable {
    var totalMilliseconds: Double
    var downtimeMilliseconds: Double
    /// Milliseconds of the downtime by part.
    var parts: [String: Double] = [:]
    var rounds = 1
    /// Bytes by kind, as far as the mover tells.
    var sent: [String: UInt64] = [:]

    package init(
        totalMilliseconds: Double, downtimeMilliseconds: Double, parts: [String: Double] = [:],
        sent: [String: UInt64] = [:]
    ) {
        self.totalMilliseconds = totalMilliseconds
        self.downtimeMilliseconds = downtimeMilliseconds
        (self.parts, self.sent) = (parts, sent)
    }
}

/// A system that can move the workload between the hosts of a lab.
protocol Mover: Sendable {
    /// Starts the workload on host a, at the address of the first instance.
    func start() async throws
    /// Does what need not be done while the workload stands; it is not measured.
    func prepare(from source: String, to target: String) async throws
    func move(from source: String, to target: String) async throws -> MoveFigures
    /// Removes what is left on the source after the client is served again; it is not measured.
    func tidy(_ source: String) async throws
    /// The cgroup that carries the workload on a host.
    func instanceGroup(of host: String) -> String
}

/// Godwit with real daemons.
struct GodwitMover: Mover {
    let lab: Lab
    let meters: [String: HostMeter]
    let item: BenchCase
    let root: String

    func start() async throws {
        for host in lab.hosts.map(\.name) {
            let words = lab.daemonWords(of: host)
            try lab.startService(on: host, meters[host].map { $0.counting(words) } ?? words)
        }
        for host in lab.hosts { try await lab.waitUntilReady(host.name) }
        try await lab.introduce()
        let network = ["--address", "\(BenchRun.address)/24", "--bridge", Lab.bridge]
        let command = ["--", "/pages", "\(item.mebibytes)", "\(item.rate)"]
        try await lab.check("a", ["launch", root, "pages"] + network + command)
    }

    func prepare(from source: String, to target: String) async throws {}

    func move(from source: String, to target: String) async throws -> MoveFigures {
        let options = item.way.options ?? []
        return MoveFigures(try await lab.move("pages", from: source, to: target, options))
    }

    func tidy(_ source: String) async throws {}

    func instanceGroup(of host: String) -> String { lab.cgroupParent(of: host) }
}

extension MoveFigures {
    init(_ report: MigrationReport) {
        let end = report.ended ?? report.started
        totalMilliseconds = Double(end.milliseconds - report.started.milliseconds)
        downtimeMilliseconds = report.downtimeMilliseconds ?? 0
        parts = report.downtime
        rounds = report.memory?.rounds.count ?? 0
        sent = report.bytes
    }
}
