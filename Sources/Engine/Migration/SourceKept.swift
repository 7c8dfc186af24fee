import Crypto
import Logging
import MigrationCore
import Synchronization

/// What the source learns of copies that are kept, on its way.
struct SourceTravel: Sendable {
    /// Digests of snapshots that the target has already, by name, and of their states.
    var held: [String: String] = [:]
    var heldStates: [String: String] = [:]
    /// Of each volume, as it was handed over.
    var digests: [String: String] = [:]
}

extension SourceWork {
    /// Hears what the target has of the volume and its snapshots, so that only what differs has to
    /// travel.
    func hearHeld(_ acceptance: Acceptance) async throws {
        guard acceptance.features.contains(Capabilities.Feature.keptCopies.name),
            let pool = try pool() as? any VolumeKeeping
        else { return }
        let known = try equipment.store.snapshots(of: definition.name).filter(\.isWhole)
        for case .sendVolume(let volume, _) in acceptance.plan.steps
        where volume == definition.name.text {
            let stream = try await open(.held(volume))
            let theirs = try await HeldMessages.hear(on: stream)
            var same = HeldMessages.Same()
            for snapshot in known {
                let name = snapshot.name.text
                if let digest = theirs.snapshots[name],
                    try await pool.digest(ofSnapshot: name, of: volume) == digest
                {
                    same.snapshots.insert(name)
                }
                if let digest = theirs.states[name], let state = snapshot.state,
                    try await equipment.digest(of: state) == digest
                {
                    same.states.insert(name)
                }
            }
            travel.withLock { [same] in
                $0.held = theirs.snapshots.filter { same.snapshots.contains($0.key) }
                $0.heldStates = theirs.states.filter { same.states.contains($0.key) }
            }
            await pool.begin(volume, upon: theirs.start)
            try await HeldMessages.answer(same, on: stream)
            await settle(stream, .held(volume))
        }
    }

    /// Puts the volume among the kept copies in place of deleting it. The instance's record goes
    /// in the same moment as the copy's becomes whole.
    ///
    /// - Returns: false if it is to be deleted.
    func keepCopy(in pool: any MigratingPool) async throws -> Bool {
        guard let seconds = job.context.keepSeconds, let keeping = pool as? any VolumeKeeping,
            let instance = definition.uuid
        else { return false }
        do {
            guard let record = try await copy(of: instance, for: seconds, keeping) else {
                return false
            }
            try await keeping.keepVolume(volume, as: record.id.text)
            try equipment.store.replace(definition.name, lockedBy: job.id, with: record)
            await removeOlder(than: record)
            return true
        } catch {
            try Task.checkCancellation()
            logger.warning("no copy of the volume is kept", metadata: ["error": "\(error)"])
            try await keeping.removeKept(job.id.text)
            try equipment.store.removeKept(job.id)
            return false
        }
    }

    /// Written down before anything is done, and found again after a restart.
    ///
    /// - Returns: nil where there is no room for one.
    private func copy(
        of instance: InstanceUUID, for seconds: UInt32, _ pool: any VolumeKeeping
    ) async throws -> KeptRecord? {
        if let begun = try equipment.store.kept(job.id) { return begun }
        let gone =
            options.dropsSnapshots == true ? try await pool.snapshots(of: volume) : []
        for name in gone { try await pool.deleteSnapshot(name, of: volume) }
        if !gone.isEmpty { try await equipment.removeStates(ofSnapshotsOf: definition.name) }
        let states = try states(besides: gone)
        let used =
            try await pool.used(by: volume) + pool.used(bySnapshotsOf: volume)
        let others = try equipment.store.kept()
        guard try await used <= pool.facts().available, others.count < Limit.keptCopies else {
            return nil
        }
        let known = travel.withLock { $0.digests[volume] }
        let digest =
            if let known { known } else { try await pool.digest(of: volume, mapped: []) }
        let record = KeptRecord(
            copy: KeptCopy(
                id: job.id, kind: .volume, instance: instance, name: definition.name,
                pool: definition.pool, kept: .now, expires: .now(after: seconds), used: used),
            digest: digest, states: states, isWhole: false)
        try equipment.store.save(record)
        return record
    }

    /// States of the snapshots that stay, by name.
    private func states(besides gone: Set<String>) throws -> [String: SavedState] {
        var states: [String: SavedState] = [:]
        for snapshot in try equipment.store.snapshots(of: definition.name)
        where !gone.contains(snapshot.name.text) { states[snapshot.name.text] = snapshot.state }
        return states
    }

    private func removeOlder(than record: KeptRecord) async {
        let same = try? equipment.store.kept(in: definition.pool).filter {
            $0.copy.instance == record.copy.instance && $0.id != record.id && $0.user == nil
        }
        for older in same ?? [] { await equipment.drop(older) }
    }
}

extension Equipment {
    /// Of all that is kept of a state.
    func digest(of state: SavedState) async throws -> String {
        let file = try await states.read(state.id)
        var hash = SHA256()
        while let bytes = try await file.read() { hash.update(data: bytes) }
        return hash.finalize().hexadecimal
    }

    /// Removes the copy of a volume; what cannot be removed now is by the daemon's next start.
    func drop(_ record: KeptRecord) async {
        await drop(record, in: try? pool(record.copy.pool))
    }

    /// - Parameter pool: the copy's.
    func drop(_ record: KeptRecord, in pool: (any MigratingPool)?) async {
        do {
            guard let pool = pool as? any VolumeKeeping, try store.doomKept(record.id) else {
                return
            }
            try await pool.removeKept(record.id.text)
            for state in record.states.values { try await states.remove(state.id) }
            try store.removeKept(record.id)
        } catch {
            logger.error(
                "a kept copy could not be removed; the daemon's next start tries again",
                metadata: ["instance": "\(record.copy.name)", "error": "\(error)"])
        }
    }

    /// Removes copies, oldest first, until there is so much room, or none is left.
    func makeRoom(_ needed: ByteCount, in name: String) async throws {
        let pool = try pool(name)
        for record in try store.kept(in: name)
        where record.isAtRest && record.copy.kind.isVolume {
            guard try await pool.facts().available < needed else { return }
            await drop(record)
        }
    }

    /// What kept copies take in each pool, by its name.
    func reclaimable() throws -> [String: ByteCount] {
        var sums: [String: ByteCount] = [:]
        for record in try store.kept() where record.isAtRest {
            sums[record.copy.pool, default: .zero] += record.copy.used
        }
        return sums
    }
}

extension InstanceUUID {
    /// From the system's source of randomness.
    static func random() -> InstanceUUID {
        do { return try InstanceUUID(MigrationID.random().text) } catch {
            preconditionFailure("both are 32 hexadecimal digits")
        }
    }
}
