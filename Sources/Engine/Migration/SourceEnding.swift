import Logging
import MigrationCore

extension SourceWork {
    /// Brings the instance back as it was, first of all, and then removes what the migration left.
    func revert(after reason: GodwitError) async throws {
        job.ledger.begin("revert")
        guard try await persistently("reading the state", logger, { try isOurs }) else { return }
        try await job.ledger.timingThaw {
            try await persistently("letting the instance run again", logger) { try await letRun() }
        }
        await closeStreams()
        try await persistently("cleaning up", logger) {
            // A target that has given custody back may have been its owner.
            if equipment.pools.entry(definition.pool)?.definition.kind == .shared {
                try await takeBack()
            }
            try await removeCables()
            try await forgetTransfers(after: reason)
        }
    }

    private func takeBack() async throws {
        guard let pool = try pool() as? any VolumeSharing else { return }
        do { try await pool.takeVolume(volume) } catch let error as GodwitError
            where error.code == .notFound
        {
            logger.error("the instance's volume has gone", metadata: ["error": "\(error)"])
        }
    }

    /// Removes what only the transfer of its volumes needed.
    ///
    /// - Parameter reason: why it was given up. Where the link broke the target may have kept what
    ///   had come of the root volume, and the next try goes on with it.
    private func forgetTransfers(after reason: GodwitError? = nil) async throws {
        let goesOn = reason?.code == .linkLost && job.context.keepSeconds != nil
        let named = options.movingVolumes(of: definition).map { try? equipment.place(of: $0) }
        // A pool that cannot be used forgets them when it can.
        for place in ([try? equipment.rootPlace(of: definition)] + named).compactMap(\.self) {
            if !goesOn || place.volume != nil {
                try await (place.pool as? any PassResuming)?.forgetBrokenPass(of: place.name)
            }
            try await place.forgetTransfer { try await $0.cleanUpAfterSending($1) }
        }
    }

    /// Whether the instance is still here and this migration's. After a restart it may be neither,
    /// and another instance may have its name.
    private var isOurs: Bool {
        get throws {
            guard let record = try equipment.store.instance(definition.name) else { return false }
            return record.lock == job.id && !record.isArriving
        }
    }

    private func letRun() async throws {
        guard job.context.wasRunning else { return }
        let driver = try driver()
        switch options.mode {
        case .live:
            do { try await driver.thaw(definition) } catch {
                // What has ended (with its host, say) cannot be thawed, and need not be.
                let status = try await driver.observe(definition).status
                guard status == .stopped || status == .running else { throw error }
            }
        case .cold:
            guard try await driver.observe(definition).status == .stopped else { return }
            do {
                try await driver.start(
                    equipment.placed(definition), root: pool().path(of: volume))
            } catch {
                // It is whole and stands here; starting it again is the operator's to decide.
                logger.error(
                    "the instance could not be started again",
                    metadata: ["instance": "\(definition.name)", "error": "\(error)"]
                )
            }
        }
    }

    /// Ends what the target runs now, and removes what belonged to it, but for a copy of its
    /// files, or keeps it stopped. The record goes last: without it nothing of this has to be done
    /// again.
    func endOriginal() async throws {
        job.ledger.begin("end original")
        await closeStreams()
        try await persistently("ending the original", logger) {
            guard try isOurs else { return }
            let (driver, pool) = (try driver(), try pool())
            try keepCables()
            try await driver.end(definition)
            await pool.forgetDigest(of: volume)
            guard !options.keepsDefinition else {
                try await forgetTransfers()
                return try keep()
            }
            try await driver.remove(definition)
            try await deleteNamed()
            if try await !keepCopy(in: pool) { try await delete(from: pool) }
            equipment.events(.instance(definition.name, .movedAway, at: .now))
        }
    }

    /// What is left here of a volume that has travelled goes; one that both hosts share is the
    /// target's.
    private func part(with volume: String, in pool: any MigratingPool) async throws {
        guard let sharing = pool as? any VolumeSharing else {
            return try await pool.deleteVolume(volume)
        }
        try await sharing.leaveVolume(volume)
    }

    /// Of those that have moved, nothing is kept.
    private func deleteNamed() async throws {
        for moved in options.movingVolumes(of: definition) {
            guard let record = try equipment.store.volume(moved) else { continue }
            let place = try equipment.place(of: moved)
            try await place.forgetTransfer { try await $0.cleanUpAfterSending($1) }
            try await part(with: place.name, in: place.pool)
            try equipment.store.removeVolume(record.volume)
        }
    }

    private func delete(from pool: any MigratingPool) async throws {
        try await pool.cleanUpAfterSending(volume)
        try await equipment.removeStates(ofSnapshotsOf: definition.name)
        try await part(with: volume, in: pool)
        if let instance = definition.uuid {
            try equipment.store.removeBases(of: instance, in: definition.pool)
        }
        try equipment.store.remove(definition.name, lockedBy: job.id)
    }

    private func keep() throws {
        try equipment.store.change(definition.name, lockedBy: job.id) { record in
            record.isWanted = false
            record.lock = nil
        }
        equipment.events(.instance(definition.name, .stopped, at: .now))
    }
}

extension Equipment {
    /// What would be offered to a target now.
    func offer(
        _ definition: InstanceDefinition,
        _ options: MoveOptions,
        isDryRun: Bool = false,
        keepSeconds: UInt32? = nil
    ) async throws -> Offer {
        let (driver, pool) = (try driver(definition.kind), try pool(definition.pool))
        let volume = definition.name.text
        let observation = try await driver.observe(definition)
        let obstacles =
            options.mode == .live && observation.status == .running
            ? try await driver.obstacles(definition) : []
        let mover = driver as? any MemoryMoving
        let division: MemoryDivision? =
            if let mover, await mover.canMoveMemory, options.mode == .live {
                try await mover.memoryDivision(definition)
            } else {
                nil
            }
        let sending = pool as? any SnapshotSending
        let root = VolumeFacts(
            name: volume,
            used: try await pool.used(by: volume),
            methods: pool.methods,
            usedBySnapshots: try await sending?.used(bySnapshotsOf: volume)
        )
        var capabilities = await capabilities(of: driver, in: pool)
        if options.mounts != nil || !definition.namedVolumes.isEmpty {
            capabilities = capabilities.demanding(.mounts)
        }
        var host = try await hostFacts(for: definition)
        if let sharing = pool as? any VolumeSharing {
            host.note(try await sharing.makeToken(for: volume), inPool: definition.pool)
        }
        return Offer(
            capabilities: capabilities,
            definition: definition,
            instance: InstanceFacts(
                status: observation.status,
                memory: observation.memory,
                division: division,
                processes: observation.processes,
                volumes: [root] + (try await facts(ofVolumesMoving: definition, options)),
                obstacles: obstacles,
                snapshots: try store.snapshots(of: definition.name).filter(\.isWhole)
                    .map(\.snapshot)
            ),
            host: host,
            options: options,
            isDryRun: isDryRun,
            keepSeconds: keepSeconds
        )
    }

    private func facts(
        ofVolumesMoving definition: InstanceDefinition, _ options: MoveOptions
    ) async throws -> [VolumeFacts] {
        var facts: [VolumeFacts] = []
        for volume in options.movingVolumes(of: definition) {
            let place = try place(of: volume)
            facts.append(
                VolumeFacts(
                    name: volume.key, used: try await place.pool.used(by: place.name),
                    methods: place.pool.methods,
                    users: try users(of: volume, but: definition.name).map(\.definition.name)))
        }
        return facts
    }

    private func capabilities(
        of driver: any Checkpointable, in pool: any MigratingPool
    ) async -> Capabilities {
        var abilities = await abilities(of: driver)
        if pool is any SnapshotSending { abilities.append(.snapshots) }
        if pool is any VolumeKeeping { abilities.append(.keptCopies) }
        if repeatsPasses { abilities.append(.volumePasses) }
        return [.memoryRounds, .postcopy, .packetHold, .snapshots, .keptCopies, .volumePasses]
            .filter { !abilities.contains($0) }.reduce(.own) { $0.without($1) }
    }

    /// What the driver can do beyond what every driver can. Asked once, at planning time, on both
    /// sides.
    func abilities(of driver: any Checkpointable) async -> [Capabilities.Feature] {
        var features: [Capabilities.Feature] = []
        if let driver = driver as? any MemoryMoving, await driver.canMoveMemory {
            features += [.memoryRounds, .postcopy]
        }
        if driver is any PacketHolding { features.append(.packetHold) }
        return features
    }
}
