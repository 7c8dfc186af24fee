import Crypto
import Foundation
import MigrationCore

/// What both sides compare of a volume's snapshots.
enum SnapshotDigests {
    /// Among the digests of volumes, none of which has such a name.
    static func key(of volume: String) -> String { "\(volume)/snapshots" }

    /// One digest of them all, oldest first.
    static func sum(_ digests: [(SnapshotName, String)]) -> String {
        let text = digests.map { "\($0.0) \($0.1)\n" }.joined()
        return SHA256.hash(data: Data(text.utf8)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}

extension SourceWork {
    /// While the instance runs, before its volumes: those are then what differs from the newest.
    func sendSnapshots(_ plan: Plan) async throws {
        for case .sendSnapshots(let volume) in plan.steps {
            guard let pool = try pool() as? any SnapshotSending else {
                throw GodwitError(.internalFault, "the plan sends snapshots that cannot be sent")
            }
            var digests: [(SnapshotName, String)] = []
            let known = try equipment.store.snapshots(of: definition.name).filter(\.isWhole)
            for name in known.map(\.name) {
                job.ledger.begin("send snapshot \(name)")
                let stream = try await open(.snapshot(name.text))
                let before = ByteCount(bytes: job.ledger.report.bytes["snapshots"] ?? 0)
                try await pool.sendSnapshot(name.text, of: volume, over: stream) { [job] in
                    let all = TransferProgress(sent: before + $0.sent)
                    job.ledger.sent(all, as: "snapshots", of: volume)
                }
                // The other side reads its own at the same time.
                digests.append(
                    (name, try await pool.digest(ofSnapshot: name.text, of: volume)))
                await settle(stream, .snapshot(name.text))
            }
            keep(snapshotDigest: SnapshotDigests.sum(digests), of: volume)
        }
    }
}

extension TargetWork {
    /// What this host can do with the instance that is offered.
    func abilities(for offer: Offer) async throws -> [Capabilities.Feature] {
        let abilities = await equipment.abilities(of: try equipment.driver(offer.definition.kind))
        // A pool that is not there is found by the checks.
        let pool = try? equipment.pool(offer.definition.pool)
        return pool is any VolumeSnapshotting ? abilities + [.snapshots] : abilities
    }

    /// As the source offers them, oldest first.
    var snapshots: [Snapshot] { agreed.offer.instance.snapshots ?? [] }

    /// Takes each as the volume's tree and keeps that as a snapshot.
    ///
    /// - Returns: one digest of all, by its key.
    func receiveSnapshots(_ plan: Plan) async throws -> [String: String] {
        var sums: [String: String] = [:]
        for case .sendSnapshots(let volume) in plan.steps {
            let definition = definition
            let here = definition.name.text
            let pool = try equipment.pool(definition.pool)
            guard let keeping = pool as? any VolumeSnapshotting else {
                throw GodwitError(.internalFault, "snapshots come that this pool cannot keep")
            }
            var digests: [(SnapshotName, String)] = []
            for snapshot in snapshots {
                let name = snapshot.name.text
                let digest = try await job.desk.take(.snapshot(name)) { stream in
                    try await pool.receiveAfterCheckpoint(here, by: .rsync, from: stream)
                    try await keeping.createSnapshot(name, of: here)
                    return try await pool.digest(of: here, mapped: [])
                }
                digests.append((snapshot.name, digest))
                // Nobody sees it before the instance is here, and it goes with its reservation.
                try equipment.store.save(
                    SnapshotRecord(snapshot: snapshot, of: definition, isWhole: true))
            }
            sums[SnapshotDigests.key(of: volume)] = SnapshotDigests.sum(digests)
        }
        return sums
    }
}
