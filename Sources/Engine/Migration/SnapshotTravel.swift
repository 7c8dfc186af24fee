import Crypto
import Foundation
import MigrationCore
import Synchronization

/// What both sides compare of a volume's snapshots.
enum SnapshotDigests {
    /// Among the digests of volumes, none of which has such a name.
    static func key(of volume: String) -> String { "\(volume)/snapshots" }

    /// One digest of them all, oldest first: of each its files', and its state's if it has one.
    static func sum(_ digests: [String]) -> String {
        SHA256.hash(data: Data(digests.joined(separator: "\n").utf8)).hexadecimal
    }
}

extension SourceWork {
    /// While the instance runs, before its volumes: those are then what differs from the newest.
    func sendSnapshots(_ plan: Plan) async throws {
        for case .sendSnapshots(let volume) in plan.steps {
            guard let pool = try pool() as? any SnapshotSending else {
                throw GodwitError(.internalFault, "the plan sends snapshots that cannot be sent")
            }
            var digests: [String] = []
            let known = try equipment.store.snapshots(of: definition.name).filter(\.isWhole)
            for snapshot in known {
                let name = snapshot.name
                let held = travel.withLock { $0.held[name.text] }
                let files =
                    if let held { held } else { try await send(name, of: volume, from: pool) }
                digests.append("\(name) \(files)")
                guard let state = snapshot.state else { continue }
                let heldState = travel.withLock { $0.heldStates[name.text] }
                let sum =
                    if let heldState { heldState } else {
                        try await send(state, of: name, volume)
                    }
                digests.append("\(name) \(sum)")
            }
            keep(snapshotDigest: SnapshotDigests.sum(digests), of: volume)
        }
    }

    /// - Returns: the digest of its files.
    private func send(
        _ name: SnapshotName, of volume: String, from pool: any SnapshotSending
    ) async throws -> String {
        job.ledger.begin("send snapshot \(name)")
        let stream = try await open(.snapshot(name.text))
        let before = ByteCount(bytes: job.ledger.report.bytes["snapshots"] ?? 0)
        try await pool.sendSnapshot(name.text, of: volume, over: stream) { [job] in
            let all = TransferProgress(sent: before + $0.sent)
            job.ledger.sent(all, as: "snapshots", of: volume)
        }
        // The other side reads its own at the same time.
        let files = try await pool.digest(ofSnapshot: name.text, of: volume)
        await settle(stream, .snapshot(name.text))
        return files
    }

    /// - Returns: the digest of what was sent.
    private func send(
        _ state: SavedState, of name: SnapshotName, _ volume: String
    ) async throws -> String {
        job.ledger.begin("send the state of snapshot \(name)")
        let file = try await equipment.states.read(state.id)
        let stream = try await open(.snapshotState(name.text))
        try await stream.write(Array("\(state.digest)\n".utf8)[...])
        var hash = SHA256()
        var sent = ByteCount(bytes: job.ledger.report.bytes["snapshots"] ?? 0)
        while let bytes = try await file.read() {
            hash.update(data: bytes)
            try await stream.write(bytes[...])
            sent = sent + ByteCount(bytes: UInt64(bytes.count))
            job.ledger.sent(TransferProgress(sent: sent), as: "snapshots", of: volume)
        }
        await settle(stream, .snapshotState(name.text))
        return hash.finalize().hexadecimal
    }
}

extension TargetWork {
    /// What this host can do with the instance that is offered.
    func abilities(for offer: Offer) async throws -> [Capabilities.Feature] {
        var abilities = await equipment.abilities(of: try equipment.driver(offer.definition.kind))
        // A pool that is not there is found by the checks.
        let pool = try? equipment.pool(offer.definition.pool)
        if pool is any VolumeSnapshotting { abilities.append(.snapshots) }
        let named = offer.options.movingVolumes(of: offer.definition)
        let pools = [pool] + named.map { try? equipment.pool($0.pool) }
        if pools.allSatisfy({ $0 is any VolumeIDChanging }) { abilities.append(.idMaps) }
        return abilities
    }

    /// As the source offers them, oldest first.
    var snapshots: [Snapshot] { agreed.offer.instance.snapshots ?? [] }

    var snapshotStreams: [StreamHello.Purpose] {
        snapshots.flatMap { snapshot -> [StreamHello.Purpose] in
            let name = snapshot.name.text
            return snapshot.isStateful
                ? [.snapshot(name), .snapshotState(name)] : [.snapshot(name)]
        }
    }

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
            var digests: [String] = []
            for snapshot in snapshots {
                let name = snapshot.name.text
                let held = travel.withLock { $0.held[name] }
                let digest =
                    if let held { held } else {
                        try await receive(name, of: here, into: keeping, pool)
                    }
                digests.append("\(name) \(digest)")
                // Nobody sees it before the instance is here, and it goes with its reservation.
                var record = SnapshotRecord(snapshot: snapshot, of: definition, isWhole: true)
                let heldState = travel.withLock { travel in
                    travel.heldStates[name].flatMap { sum in travel.states[name].map { ($0, sum) } }
                }
                if snapshot.isStateful { record.state = heldState?.0 ?? newState(of: snapshot) }
                try equipment.store.save(record)
                guard let state = record.state else { continue }
                let (whole, sum) =
                    if let heldState { heldState } else {
                        try await receive(state, of: snapshot)
                    }
                digests.append("\(name) \(sum)")
                record.state = whole
                try equipment.store.save(record)
            }
            sums[SnapshotDigests.key(of: volume)] = SnapshotDigests.sum(digests)
        }
        return sums
    }

    /// - Returns: the digest of its files.
    private func receive(
        _ name: String, of here: String, into keeping: any VolumeSnapshotting,
        _ pool: any MigratingPool
    ) async throws -> String {
        let isBegun = travel.withLock { $0.start != .empty }
        let place = try equipment.rootPlace(of: definition)
        try await expectIDs(in: place)
        return try await job.desk.take(.snapshot(name)) { stream in
            try await pool.receiveAfterCheckpoint(here, by: .rsync, from: stream)
            let digest = try await pool.digest(of: here, mapped: [])
            try await settleIDs(in: place)
            // One of that name that is another.
            if isBegun { try await keeping.deleteSnapshot(name, of: here) }
            try await keeping.createSnapshot(name, of: here)
            return digest
        }
    }

    private func newState(of snapshot: Snapshot) -> SavedState {
        SavedState(id: MigrationID.random().text, phase: .kept, created: snapshot.created)
    }

    /// - Returns: the state, and the digest of what has come.
    private func receive(
        _ state: SavedState, of snapshot: Snapshot
    ) async throws -> (SavedState, String) {
        let (states, announced) = (equipment.states, snapshot.stateBytes ?? .zero)
        guard announced <= (try states.available) else {
            throw GodwitError(
                .noSpace, "there is no room for the state of snapshot \(snapshot.name)",
                remedy: "free space in the target's state directory")
        }
        return try await job.desk.take(.snapshotState(snapshot.name.text)) { stream in
            let (digest, first) = try await Self.line(from: stream)
            let file = try await states.write(state.id)
            var (taken, rest, hash) = (0, first, SHA256())
            while let bytes = rest {
                taken += bytes.count
                guard taken <= Self.most(announced) else { throw Self.exceeds(snapshot) }
                hash.update(data: bytes)
                try await file.write(bytes)
                rest = try await stream.read()?[...]
            }
            try await file.finish()
            var state = state
            (state.digest, state.bytes) = (digest, announced)
            return (state, hash.finalize().hexadecimal)
        }
    }

    /// What stands before the first end of a line, and the bytes after it that came with it.
    private static func line(
        from stream: any ByteStream
    ) async throws -> (line: String, rest: ArraySlice<UInt8>?) {
        var bytes: [UInt8] = []
        while bytes.count <= 1_024, let next = try await stream.read() {
            bytes += next
            guard let end = bytes.firstIndex(of: 0x0a), end <= 1_024 else { continue }
            return (String(decoding: bytes[..<end], as: UTF8.self), bytes[(end + 1)...])
        }
        throw GodwitError(.protocolViolation, "the state of a snapshot has no digest")
    }

    /// What is said of a state is what the files in it have; heads of their pieces come to that.
    private static func most(_ announced: ByteCount) -> Int {
        let margin = ByteCount.mebibytes(16) + ByteCount(bytes: announced.bytes / 8)
        return Int(clamping: (announced + margin).bytes)
    }

    private static func exceeds(_ snapshot: Snapshot) -> GodwitError {
        GodwitError(
            .protocolViolation, "the state of snapshot \(snapshot.name) is larger than was said",
            remedy: "run the same version of godwit on both hosts")
    }

    /// Forgets what has arrived, with the states of snapshots that have, or were to.
    func remove(_ name: InstanceName) async throws {
        try await equipment.removeStates(ofSnapshotsOf: name)
        try equipment.store.remove(name, lockedBy: job.id)
    }
}

extension Equipment {
    /// The snapshots themselves go with the volume, their records with the instance's.
    /// States that a kept copy has, too, stay with that.
    func removeStates(ofSnapshotsOf name: InstanceName) async throws {
        let kept = Set(try store.kept().flatMap(\.states.values).map(\.id))
        for state in try store.snapshots(of: name).compactMap(\.state)
        where !kept.contains(state.id) { try await states.remove(state.id) }
    }
}
