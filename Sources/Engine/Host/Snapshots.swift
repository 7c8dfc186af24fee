import Logging
package import MigrationCore

/// Instances' files as they were at one moment: taken, restored and deleted.
extension HostService {
    package func snapshots(of name: InstanceName) async throws -> [SnapshotView] {
        _ = try record(name)
        return try store.snapshots(of: name).filter(\.isWhole).map(\.view)
    }

    package func snapshot(
        _ snapshot: SnapshotName, of name: InstanceName
    ) async throws -> SnapshotView {
        _ = try record(name)
        return try whole(snapshot, of: name).view
    }

    package func createSnapshot(_ request: SnapshotRequest) async throws -> SnapshotView {
        try await exclusively(request.instance) { try await createSnapshot(request, of: $0) }
    }

    func createSnapshot(
        _ request: SnapshotRequest, of instance: InstanceRecord
    ) async throws -> SnapshotView {
        try requireUsable(expiry: request.expires)
        let known = try store.snapshots(of: request.instance).map(\.name)
        let name = request.name ?? .next(after: known)
        var record = try await take(name, of: instance, isStateful: request.isStateful)
        record.snapshot.expires = request.expires
        record.isWhole = true
        try store.save(record)
        tell(request.instance, .snapshotCreated)
        return record.view
    }

    /// Makes a snapshot that nobody sees as long as its record is not whole. If it cannot be made
    /// nothing of it is left.
    func take(
        _ name: SnapshotName, of instance: InstanceRecord, isStateful: Bool = false
    ) async throws -> SnapshotRecord {
        let definition = instance.definition
        let pool = try snapshotting(definition)
        let driver = try equipment.driver(definition.kind)
        let runs = try await driver.observe(definition).status == .running
        if isStateful {
            try requireOneMoment(definition)
            try await requireSavable(definition, driver)
        }
        var record = SnapshotRecord(
            snapshot: Snapshot(name: name, created: .now, isStateful: isStateful), of: definition,
            freezes: runs && (isStateful || !pool.snapshotsAtOnce),
            state: isStateful ? SavedState(id: MigrationID.random().text, created: .now) : nil)
        try store.insert(record)
        do {
            try await make(&record, pool, driver)
            if let state = record.state {
                let kept = try await keep(state, of: definition, driver)
                (record.state, record.snapshot.stateBytes) = (kept, kept.bytes)
            }
            try await (pool as? any SnapshotCopying)?
                .flushSnapshot(name.text, of: definition.name.text)
        } catch {
            await undo(record, instance)
            throw error
        }
        record.freezes = false
        return record
    }

    /// - Throws: `refused` where processes would go on with files of another moment than their own.
    private func requireOneMoment(_ definition: InstanceDefinition) throws {
        let written = definition.mounts.first { $0.volume != nil && !$0.isReadOnly }
        guard let volume = written?.volume else { return }
        throw GodwitError(
            .refused,
            "a snapshot has the root volume only, and the processes of \(definition.name) write to "
                + "the volume \(volume) as well",
            remedy: "take it without --stateful, or use `godwit stop --stateful`")
    }

    private func make(
        _ record: inout SnapshotRecord, _ pool: any VolumeSnapshotting,
        _ driver: any Checkpointable
    ) async throws {
        let (name, volume) = (record.name.text, record.instance.text)
        guard record.freezes else {
            record.snapshot.created = .now
            return try await pool.createSnapshot(name, of: volume)
        }
        let copying = pool as? any SnapshotCopying
        try await copying?.copyAhead(name, of: volume)
        let start = ContinuousClock.now
        do {
            try await driver.freeze(record.definition)
            record.snapshot.created = .now
            let mapped = try await equipment.writableMappings(record.definition, driver).inRoot
            if record.state != nil {
                try await driver.dump(record.definition, options: MoveOptions())
            }
            if let copying {
                try await copying.createSnapshot(name, of: volume, mapped: mapped)
            } else {
                try await pool.createSnapshot(name, of: volume)
            }
        } catch {
            try await letRun(record.definition, driver)
            throw error
        }
        try await letRun(record.definition, driver, keepsDump: record.state != nil)
        record.snapshot.pauseMilliseconds = start.duration(to: .now).inMilliseconds
    }

    /// Undoes the freeze for a state or a snapshot, however often that takes.
    func letRun(
        _ definition: InstanceDefinition, _ driver: any Checkpointable, keepsDump: Bool = false
    ) async throws {
        try await persistently("letting \(definition.name) run again", logger) {
            guard try await driver.observe(definition).status != .stopped else { return }
            if keepsDump {
                try await driver.runOn(definition)
            } else {
                try await driver.thaw(definition)
            }
        }
    }

    package func restoreSnapshot(
        _ snapshot: SnapshotName, of name: InstanceName, _ use: StateUse
    ) async throws {
        try await exclusively(name) { record in
            let definition = record.definition
            let (driver, pool) = (
                try equipment.driver(definition.kind), try snapshotting(definition)
            )
            let found = try whole(snapshot, of: name)
            let state = use == .never ? nil : found.state
            // As long as it can run: then only a rename is left.
            try await (pool as? any SnapshotCopying)?.copyBack(snapshot.text, of: name.text)
            let ran = try await driver.observe(definition).status != .stopped
            // At once: what it would still write is given up.
            if ran { try await stop(record, driver, grace: .zero) }
            do {
                try await pool.restoreSnapshot(snapshot.text, of: name.text)
                try await equipment.pool(definition.pool).forgetDigest(of: name.text)
                // It belongs to the files that were there.
                try await discardState(of: record)
            } catch {
                if ran { try await start(record, driver) }
                throw error
            }
            if let state {
                try await goOn(definition, from: state, driver)
            } else if ran {
                try await start(record, driver)
            }
            tell(name, .restored)
        }
    }

    /// The state stays with its snapshot.
    private func goOn(
        _ definition: InstanceDefinition, from state: SavedState, _ driver: any Checkpointable
    ) async throws {
        do { try await restore(definition, state, driver) } catch {
            try await driver.discardRestore(definition)
            throw GodwitError(
                (error as? GodwitError)?.code ?? .restoreFailed,
                "\(definition.name) has its files of then, and its processes could not go on",
                remedy: "mend the cause and restore it again, or start it anew", cause: "\(error)")
        }
        try store.change(definition.name, lockedBy: nil) { $0.isWanted = true }
    }

    package func deleteSnapshot(
        _ snapshot: SnapshotName, of name: InstanceName
    ) async throws {
        try await exclusively(name) { instance in
            // One that is not whole is what an earlier try has left.
            guard let record = try store.snapshot(snapshot, of: name) else {
                throw GodwitError.unknown(snapshot, of: name)
            }
            try await remove(record, instance)
            tell(name, .snapshotDeleted)
        }
    }
}

extension HostService {
    /// - Throws: `badRequest` where the pool's driver cannot.
    func snapshotting(
        _ definition: InstanceDefinition
    ) throws -> any VolumeSnapshotting {
        let pool = try equipment.pool(definition.pool)
        guard let pool = pool as? any VolumeSnapshotting else {
            throw GodwitError(
                .badRequest,
                "the pool \(definition.pool) of driver \(pool.driver) keeps no snapshots",
                remedy: "use an instance in a pool that does (docs/snapshots.md)")
        }
        return pool
    }

    /// - Throws: `notFound` also for one that is just being made or deleted.
    func whole(_ snapshot: SnapshotName, of name: InstanceName) throws -> SnapshotRecord {
        guard let record = try store.snapshot(snapshot, of: name), record.isWhole else {
            throw GodwitError.unknown(snapshot, of: name)
        }
        return record
    }

    /// Deletes a snapshot; if that ends half way the next start of the daemon goes on with it.
    func remove(_ snapshot: SnapshotRecord, _ instance: InstanceRecord) async throws {
        var record = snapshot
        let freezes = record.freezes && !record.isWhole
        record.isWhole = false
        try store.save(record)
        if freezes {
            let definition = instance.definition
            try await letRun(definition, equipment.driver(definition.kind))
        }
        try await snapshotting(instance.definition)
            .deleteSnapshot(record.name.text, of: record.instance.text)
        if let state = record.state { try await states.remove(state.id) }
        try store.removeSnapshot(record.name, of: record.instance)
    }

    /// Removes what has not become a snapshot, or is one no more.
    func undo(_ snapshot: SnapshotRecord, _ instance: InstanceRecord) async {
        do { try await remove(snapshot, instance) } catch {
            logger.error(
                "a snapshot could not be removed; the daemon's next start tries again",
                metadata: [
                    "instance": "\(snapshot.instance)", "snapshot": "\(snapshot.name)",
                    "error": "\(error)",
                ])
        }
    }

    /// Removes what an earlier daemon was making or deleting, and lets the instance run on.
    func clear(_ snapshot: SnapshotRecord) async {
        try? await persistently("removing half a snapshot", logger) {
            guard try store.instance(snapshot.instance) != nil else {
                return try store.removeSnapshot(snapshot.name, of: snapshot.instance)
            }
            try await exclusively(snapshot.instance) { instance in
                guard let record = try store.snapshot(snapshot.name, of: snapshot.instance),
                    !record.isWhole
                else { return }
                try await remove(record, instance)
            }
        }
    }
}

extension GodwitError {
    static func unknown(
        _ snapshot: SnapshotName, of name: InstanceName
    ) -> GodwitError {
        GodwitError(
            .notFound, "there is no snapshot \(snapshot) of \(name)",
            remedy: "see `godwit info \(name)`")
    }
}
