import Foundation
import LinuxHost
package import MigrationCore
import TestSupport

/// One workload, moved back and forth between two hosts under one client connection.
struct BenchRun {
    let root: String
    let item: BenchCase
    let moves: Int

    static let address = Lab.address(10)

    func run() async throws -> BenchRow {
        try await Lab.with { lab in
            var meters: [String: HostMeter] = [:]
            for host in lab.hosts.map(\.name) {
                meters[host] = try HostMeter(host: host, of: lab)
            }
            let mover = try await mover(lab, meters)
            try await mover.start()
            return try await measure(lab, mover, meters)
        }
    }

    private func mover(_ lab: Lab, _ meters: [String: HostMeter]) async throws -> any Mover {
        guard let scripts = item.way.scripts else {
            return GodwitMover(lab: lab, meters: meters, item: item, root: root)
        }
        return try await PeerMover(lab: lab, meters: meters, item: item, scripts: scripts, root)
    }

    private func measure(
        _ lab: Lab, _ mover: any Mover, _ meters: [String: HostMeter]
    ) async throws -> BenchRow {
        let client = try await client(of: lab)
        var samples: [BenchSample] = []
        for number in 0..<moves {
            let (source, target) = number.isMultiple(of: 2) ? ("a", "b") : ("b", "a")
            try await mover.prepare(from: source, to: target)
            samples.append(
                try await sample(lab, mover, meters, from: source, to: target))
            try await mover.tidy(source)
        }
        let wrong = try await verify(lab)
        return BenchRow(
            item, samples: samples, testimony: try await client.finish(), wrongPages: wrong)
    }

    /// The workload listens when its memory is filled.
    private func client(of lab: Lab) async throws -> Counting {
        var client: Counting?
        try await eventually("the workload answers", within: 90) {
            client = try? await Counting(client: lab.client, address: Self.address)
            return client != nil
        }
        guard let client else { preconditionFailure("the condition above held") }
        return client
    }

    private func sample(
        _ lab: Lab, _ mover: any Mover, _ meters: [String: HostMeter], from source: String,
        to target: String
    ) async throws -> BenchSample {
        let before = Gauge(lab, mover, meters, source, target)
        before.forgetPeaks()
        let start = now()
        let figures = try await mover.move(from: source, to: target)
        let atEnd = before.again()
        // Until the client is served again and the background has placed all pages: TCP doubles
        // its timer, so that a client may sleep as long again as the move took.
        let rest = max(2_500, 1.2 * figures.totalMilliseconds)
        try await Task.sleep(for: .milliseconds(rest))
        let settled = before.again()
        var sample = BenchSample(
            figures: figures, start: start, end: now(),
            wireBytes: atEnd.wireBytes - before.wireBytes,
            processor: (settled.source - before.source, settled.target - before.target),
            resident: before.residentPeaks())
        sample.instanceSource = atEnd.instanceSource - before.instanceSource
        sample.instanceTarget = atEnd.instanceTarget - before.instanceTarget
        sample.peakMemory = before.memoryPeaks()
        return sample
    }

    private func verify(_ lab: Lab) async throws -> Int {
        let words = [Lab.builtLab, "verify", Self.address, "6379"]
        let said = try await LabCommands.network(of: lab.client.pid, words).check()
        return Int(said.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
    }
}

/// What was seen of one move.
package struct BenchSample: Sendable {
    let figures: MoveFigures
    let start: Timestamp
    let end: Timestamp
    let wireBytes: UInt64
    var processorSource = 0.0
    var processorTarget = 0.0
    var instanceSource = 0.0
    var instanceTarget = 0.0
    var peakResident: [String: UInt64] = [:]
    var peakMemory: [String: UInt64] = [:]

    /// - Parameters:
    ///   - processor: seconds of source and target.
    ///   - resident: bytes, as in the row.
    package init(
        figures: MoveFigures, start: Timestamp, end: Timestamp, wireBytes: UInt64,
        processor: (source: Double, target: Double), resident: [String: UInt64]
    ) {
        (self.figures, self.start, self.end) = (figures, start, end)
        self.wireBytes = wireBytes
        (processorSource, processorTarget) = processor
        peakResident = resident
    }
}

/// The counters of both hosts at one moment.
private struct Gauge {
    private let lab: Lab
    private let hosts: [(role: String, node: LabNode, meter: HostMeter?)]
    private let groups: [String]
    let wireBytes: UInt64
    let source: Double
    let target: Double
    let instanceSource: Double
    let instanceTarget: Double

    init(
        _ lab: Lab, _ mover: any Mover, _ meters: [String: HostMeter], _ source: String,
        _ target: String
    ) {
        self.init(
            lab,
            hosts: [
                ("source", lab.host(source), meters[source]),
                ("target", lab.host(target), meters[target]),
            ],
            groups: [source, target].map(mover.instanceGroup))
    }

    private init(
        _ lab: Lab, hosts: [(role: String, node: LabNode, meter: HostMeter?)], groups: [String]
    ) {
        precondition(hosts.count == 2 && groups.count == 2)
        (self.lab, self.hosts, self.groups) = (lab, hosts, groups)
        wireBytes = Self.sentBytes(of: hosts[0].node)
        source = hosts[0].meter?.processorSeconds ?? 0
        target = hosts[1].meter?.processorSeconds ?? 0
        instanceSource = HostMeter.processorSeconds(ofGroup: groups[0])
        instanceTarget = HostMeter.processorSeconds(ofGroup: groups[1])
    }

    func again() -> Gauge { Gauge(lab, hosts: hosts, groups: groups) }

    /// What has left the host through its cable, with the headers of Ethernet, IP and TCP.
    private static func sentBytes(of node: LabNode) -> UInt64 {
        let file = node.path("/sys/class/net/gwup0/statistics/tx_bytes")
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        return UInt64(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    func forgetPeaks() {
        for host in hosts {
            ResidentPeaks(node: host.node).forget()
            host.meter?.forgetPeak()
        }
    }

    func residentPeaks() -> [String: UInt64] {
        var peaks: [String: UInt64] = [:]
        for host in hosts {
            for kind in ["daemon", "monitor"] {
                peaks["\(host.role)_\(kind)"] = ResidentPeaks(node: host.node).peak(of: kind)
            }
        }
        return peaks
    }

    func memoryPeaks() -> [String: UInt64] {
        var peaks: [String: UInt64] = [:]
        for host in hosts { peaks[host.role] = host.meter?.peakBytes }
        return peaks
    }
}
