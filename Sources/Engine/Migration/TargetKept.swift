import Logging
import MigrationCore
import Synchronization

/// What the target makes of a copy that it has kept of the instance.
struct TargetTravel: Sendable {
    /// What the volume held when the first pass began.
    var start = VolumeStart.empty
    /// Digests of snapshots that need not come, by name, and of their states.
    var held: [String: String] = [:]
    var heldStates: [String: String] = [:]
    /// Of the copy's snapshots.
    var states: [String: SavedState] = [:]
    /// Nothing has come into the copy since it was taken.
    var isUntouched = false
}

extension TargetWork {
    /// Makes the volume: of the copy that is kept of the instance, if there is one and it is what
    /// it was; else an empty one.
    func makeVolume(
        _ definition: InstanceDefinition, _ offer: Offer, _ plan: Plan,
        in pool: any MigratingPool
    ) async throws -> String {
        let needed = DiskSpaceCheck.room(
            in: definition.pool, for: offer.definition, offer.instance, offer.options)
        if let (root, own) = try await takeKept(definition, offer, plan, in: pool) {
            let more = needed > own ? ByteCount(bytes: needed.bytes - own.bytes) : .zero
            try await equipment.makeRoom(more, in: definition.pool)
            return root
        }
        try await equipment.makeRoom(needed, in: definition.pool)
        return try await pool.createVolume(definition.name.text)
    }

    /// - Returns: the volume's path, and what it takes; nil if there is no copy of use.
    private func takeKept(
        _ definition: InstanceDefinition, _ offer: Offer, _ plan: Plan,
        in pool: any MigratingPool
    ) async throws -> (String, ByteCount)? {
        guard offer.capabilities.knows(.keptCopies), let pool = pool as? any VolumeKeeping,
            let instance = definition.uuid,
            let record = try equipment.store.claimKept(
                instance, in: definition.pool, by: job.id)
        else { return nil }
        let name = definition.name.text
        do {
            let root = try await pool.takeKept(record.id.text, as: name)
            let offered = offer.wantsSnapshots ? offer.instance.snapshots ?? [] : []
            let gone = try await pool.snapshots(of: name).subtracting(offered.map(\.name.text))
            for snapshot in gone { try await pool.deleteSnapshot(snapshot, of: name) }
            if let start = try await start(of: name, record, plan, pool) {
                travel.withLock {
                    ($0.start, $0.isUntouched, $0.states) = (start, true, record.states)
                }
                return (root, record.copy.used)
            }
            logger.warning("the copy that was kept is damaged, and of no use")
        } catch let error as GodwitError where error.code == .notFound {
            logger.warning("the copy that was kept is gone", metadata: ["error": "\(error)"])
        }
        try await forget(record, name, in: pool)
        return nil
    }

    private func forget(
        _ record: KeptRecord, _ volume: String, in pool: any VolumeKeeping
    ) async throws {
        try await pool.deleteVolume(volume)
        try await pool.removeKept(record.id.text)
        for state in record.states.values { try await equipment.states.remove(state.id) }
        try equipment.store.removeKept(record.id)
    }

    /// rsync believes the sizes and times of what it finds: that has to be what was kept. A method
    /// that builds upon a base looks at that itself, and of what came with a move that broke
    /// nothing is believed.
    ///
    /// - Returns: nil for a copy that is not what it was.
    private func start(
        of volume: String, _ record: KeptRecord, _ plan: Plan, _ pool: any VolumeKeeping
    ) async throws -> VolumeStart? {
        guard !Self.hasBase(pool, plan), record.copy.kind != .partial else { return .unknown }
        let digest = try await pool.digest(of: volume, mapped: [])
        return digest == record.digest ? .tree(digest) : nil
    }

    /// Whether the plan sends by a method that leaves a base in the pool.
    private static func hasBase(_ pool: any VolumeDigesting, _ plan: Plan) -> Bool {
        guard let pool = pool as? any BaseKeeping else { return false }
        return VolumeMethod.allCases.contains { pool.hasBase(by: $0) && plan.sendsVolumes(by: $0) }
    }

    var knowsKeptCopies: Bool { agreed.offer.capabilities.knows(.keptCopies) }

    /// Before anything comes.
    func tellHeld(_ plan: Plan) async throws {
        guard knowsKeptCopies else { return }
        let definition = definition
        let here = definition.name.text
        let start = travel.withLock { $0.start }
        for case .sendVolume(let volume, _) in plan.steps where isRoot(volume) {
            var held = HeldMessages.Held(start)
            if start != .empty, let pool = try equipment.pool(definition.pool) as? any VolumeKeeping
            {
                try await describe(here, in: pool, &held)
            }
            let same = try await job.desk.take(.held(volume)) { [held] in
                try await HeldMessages.tell(held, on: $0)
            }
            let others = travel.withLock { [held] travel in
                travel.held = held.snapshots.filter { same.snapshots.contains($0.key) }
                travel.heldStates = held.states.filter { same.states.contains($0.key) }
                travel.isUntouched = false
                return travel.states.filter { travel.heldStates[$0.key] == nil }
            }
            for state in others.values { try await equipment.states.remove(state.id) }
        }
    }

    private func describe(
        _ volume: String, in pool: any VolumeKeeping, _ held: inout HeldMessages.Held
    ) async throws {
        let states = travel.withLock { $0.states }
        for name in try await pool.snapshots(of: volume) {
            held.snapshots[name] = try await pool.digest(ofSnapshot: name, of: volume)
            // One that cannot be read comes again.
            guard let state = states[name] else { continue }
            held.states[name] = try? await equipment.digest(of: state)
        }
    }

    /// Remembers the volume as it has arrived, if a copy of it stays at the source.
    func noteArrival(_ digest: String) async throws {
        guard agreed.offer.keepSeconds != nil else { return }
        let pool = try equipment.pool(definition.pool) as? any VolumeKeeping
        try await pool?.noteArrival(of: definition.name.text, digest: digest)
    }

    /// The volume becomes the kept copy again that it was made of, or what the next try begins
    /// with, or is deleted.
    func giveUp(
        _ volume: InstanceName, in pool: any MigratingPool, after reason: GodwitError
    ) async throws {
        guard let keeping = pool as? any VolumeKeeping,
            var record = try await copy(of: volume, in: keeping, after: reason)
        else { return try await pool.deleteVolume(volume.text) }
        do {
            let isPartial = record.copy.kind == .partial
            guard isPartial ? reason.code == .linkLost : reason.code != .volumeDiffers else {
                throw reason
            }
            if await pool.hasVolume(volume.text) {
                try await look(at: volume.text, in: keeping, for: &record)
            }
            try await keeping.keepVolume(volume.text, as: record.id.text)
            (record.user, record.isWhole) = (nil, true)
            try equipment.store.save(record)
        } catch {
            try Task.checkCancellation()
            logger.warning("the copy is not kept any more", metadata: ["error": "\(error)"])
            try await forget(record, volume.text, in: keeping)
        }
    }

    private func look(
        at volume: String, in pool: any VolumeKeeping, for record: inout KeptRecord
    ) async throws {
        switch record.copy.kind {
        case .volume where !travel.withLock({ $0.isUntouched }):
            record.digest = try await pool.digest(of: volume, mapped: [])
        case .partial:
            record.copy.used = try await pool.used(by: volume) + pool.used(bySnapshotsOf: volume)
        case .volume, .base: break
        }
    }

    private func copy(
        of volume: InstanceName, in pool: any VolumeKeeping, after reason: GodwitError
    ) async throws -> KeptRecord? {
        if let taken = try equipment.store.kept(usedBy: job.id) { return taken }
        // Done before a restart, or begun.
        if let made = try equipment.store.kept(job.id) { return made.isWhole ? nil : made }
        do { return try await partialCopy(of: volume, in: pool, after: reason) } catch {
            try Task.checkCancellation()
            logger.warning("what had come is not kept", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Of a stream of btrfs or lvm that broke nothing is there from which another could go on.
    private static let partialMethods: Set<VolumeMethod> = [.rsync, .overlay, .zfs]

    /// What has come is kept only where the connection broke, as then the move is tried again.
    ///
    /// - Returns: a record that has been written down; nil for what is to be deleted.
    private func partialCopy(
        of volume: InstanceName, in pool: any VolumeKeeping, after reason: GodwitError
    ) async throws -> KeptRecord? {
        let (offer, plan) = agreed
        guard reason.code == .linkLost, let seconds = offer.keepSeconds,
            let instance = definition.uuid,
            plan.sends(offer.definition.name, by: Self.partialMethods),
            await pool.hasVolume(volume.text)
        else { return nil }
        let used = try await pool.used(by: volume.text) + pool.used(bySnapshotsOf: volume.text)
        guard used >= Limit.smallestPartialCopy, try await used <= pool.facts().available,
            try equipment.store.kept().count < Limit.keptCopies
        else { return nil }
        let record = KeptRecord(
            copy: KeptCopy(
                id: job.id, kind: .partial, instance: instance, name: volume,
                pool: definition.pool, kept: .now,
                expires: .now(after: min(seconds, Limit.partialCopySeconds)), used: used),
            isWhole: false)
        try equipment.store.save(record)
        return record
    }
}

extension TargetWork {
    /// - Returns: false if that had been done before.
    func adopt(_ receipt: Receipt) throws -> Bool {
        guard let record = try reservation() else { return false }
        let base = base(of: record.definition)
        try equipment.store.adoptVolumes(lockedBy: job.id)
        return try equipment.store.adopt(
            record.definition.name, lockedBy: job.id, base: base
        ) { record in
            record.isArriving = false
            record.ownsVolume = false
            record.lock = nil
            record.definition.uuid = record.definition.uuid ?? .random()
            if let forward = agreed.plan.options.forward {
                record.definition.endCables(at: .now(after: forward.seconds))
            }
            record.isWanted = receipt.isRunning || record.isWanted
        }
    }

    /// What is kept here for the move back, where the source keeps its half.
    private func base(of definition: InstanceDefinition) -> KeptRecord? {
        guard let pool = try? equipment.pool(definition.pool), knowsKeptCopies,
            let instance = definition.uuid, let seconds = agreed.offer.keepSeconds,
            Self.hasBase(pool, agreed.plan)
        else { return nil }
        return KeptRecord(
            copy: KeptCopy(
                id: job.id, kind: .base, instance: instance, name: definition.name,
                pool: definition.pool, kept: .now,
                expires: .now(after: min(seconds, Limit.keptSeconds))),
            isWhole: true)
    }

    /// Removes what only the transfer needed.
    func tidy(_ name: InstanceName) async {
        let definition = definition
        guard let pool = try? equipment.pool(definition.pool) else { return }
        do {
            if let keeping = pool as? any BaseKeeping {
                if base(of: definition) != nil {
                    try await keeping.keepBase(of: name.text)
                } else {
                    try await keeping.removeBase(of: name.text)
                }
            }
            try await pool.cleanUpAfterReceiving(name.text)
            for volume in movingVolumes {
                let place = try equipment.place(of: volume)
                try await place.forgetTransfer { try await $0.cleanUpAfterReceiving($1) }
            }
        } catch {
            logger.warning(
                "temporary files of the transfer remain", metadata: ["error": "\(error)"])
        }
        await pool.forgetDigest(of: name.text)
    }
}

extension Plan {
    fileprivate func sendsVolumes(by method: VolumeMethod) -> Bool {
        steps.contains { if case .sendVolume(_, method) = $0 { true } else { false } }
    }

    fileprivate func sends(_ root: InstanceName, by methods: Set<VolumeMethod>) -> Bool {
        steps.contains { step in
            guard case .sendVolume(root.text, let method) = step else { return false }
            return methods.contains(method)
        }
    }
}
