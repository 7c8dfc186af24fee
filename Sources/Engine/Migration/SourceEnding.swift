import Logging
import MigrationCore

extension SourceWork {
    /// Brings the instance back as it was, first of all, and then removes what the migration left.
    func revert() async throws {
        job.ledger.begin("revert")
        guard try await persistently("reading the state", logger, { try isOurs }) else { return }
        try await job.ledger.timingThaw {
            try await persistently("letting the instance run again", logger) { try await letRun() }
        }
        await closeStreams()
        let pool = try pool()
        try await persistently("cleaning up", logger) {
            // A target that has given custody back may have been its owner.
            if let sharing = pool as? any VolumeSharing, await pool.hasVolume(volume) {
                try await sharing.takeVolume(volume)
            }
            try await removeCables()
            try await pool.cleanUpAfterSending(volume)
        }
        await pool.forgetDigest(of: volume)
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
                try await driver.start(definition, root: pool().path(of: volume))
            } catch {
                // It is whole and stands here; starting it again is the operator's to decide.
                logger.error(
                    "the instance could not be started again",
                    metadata: ["instance": "\(definition.name)", "error": "\(error)"]
                )
            }
        }
    }

    /// Ends what the target runs now, and removes what belonged to it or keeps it stopped. The
    /// record goes last: without it nothing of this has to be done again.
    func endOriginal() async throws {
        job.ledger.begin("end original")
        await closeStreams()
        try await persistently("ending the original", logger) {
            guard try isOurs else { return }
            let (driver, pool) = (try driver(), try pool())
            try keepCables()
            try await driver.end(definition)
            try await pool.cleanUpAfterSending(volume)
            await pool.forgetDigest(of: volume)
            guard !options.keepsDefinition else { return try keep() }
            try await driver.remove(definition)
            try await equipment.removeStates(ofSnapshotsOf: definition.name)
            try await part(with: volume, in: pool)
            try equipment.store.remove(definition.name, lockedBy: job.id)
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
        isDryRun: Bool = false
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
        let facts = VolumeFacts(
            name: volume,
            used: try await pool.used(by: volume),
            methods: pool.methods,
            usedBySnapshots: try await sending?.used(bySnapshotsOf: volume)
        )
        let capabilities = await capabilities(of: driver)
        var host = try await hostFacts(for: definition)
        if let sharing = pool as? any VolumeSharing {
            host.note(try await sharing.makeToken(for: volume), inPool: definition.pool)
        }
        return Offer(
            capabilities: sending == nil ? capabilities.without(.snapshots) : capabilities,
            definition: definition,
            instance: InstanceFacts(
                status: observation.status,
                memory: observation.memory,
                division: division,
                processes: observation.processes,
                volumes: [facts],
                obstacles: obstacles,
                snapshots: try store.snapshots(of: definition.name).filter(\.isWhole)
                    .map(\.snapshot)
            ),
            host: host,
            options: options,
            isDryRun: isDryRun
        )
    }

    private func capabilities(of driver: any Checkpointable) async -> Capabilities {
        let abilities = await abilities(of: driver)
        return [.memoryRounds, .postcopy, .packetHold].filter { !abilities.contains($0) }
            .reduce(.own) { $0.without($1) }
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
