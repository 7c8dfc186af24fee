import Logging
package import MigrationCore

/// New instances that are made of those that are here.
extension HostService {
    /// A copy for another host is made here, under a name of its own, and moves there.
    package func copy(_ request: CopyRequest) async throws {
        guard let remote = request.remote else { return try await copyHere(request) }
        _ = try await KnownPeers(in: store).peer(named: remote)
        var here = request
        let pool = try equipment.pool(record(request.source).definition.pool)
        // What both hosts see has one name on both.
        if !(pool is any VolumeSharing) {
            here.newName = try InstanceName("copy-\(MigrationID.random().text.prefix(12))")
        }
        try await copyHere(here, isPassing: true)
        let move = MoveRequest(
            name: here.newName, remote: remote, mode: .cold, newName: request.newName)
        let job: SourceJob
        do { job = try await begin(move) { _ in } } catch {
            await removePassing(here.newName)
            throw error
        }
        // Else it is removed when the migration has ended, whoever waits for that.
        _ = try await job.outcome()
    }

    /// Removes a copy for another host that has not moved, unless a migration has it.
    func removePassing(_ name: InstanceName) async {
        do {
            guard let record = try store.instance(name), record.isPassing, record.lock == nil
            else { return }
            try await delete(name, force: false)
        } catch {
            logger.error(
                "a copy for another host could not be removed; the daemon's next start tries again",
                metadata: ["instance": "\(name)", "error": "\(error)"])
        }
    }

    /// - Parameter isPassing: it is here only until it has moved.
    private func copyHere(_ request: CopyRequest, isPassing: Bool = false) async throws {
        try await exclusively(request.source) { source in
            let made = try copied(source, request)
            guard !isPassing || made.namedVolumes.isEmpty else {
                throw GodwitError(
                    .refused, "volumes of \(request.source) would have to leave with the copy",
                    remedy: "copy it on this host, detach them from the copy, and move that")
            }
            let pool = try equipment.pool(made.pool)
            let volume = request.newName.text
            guard try store.instance(request.newName) == nil, await !pool.hasVolume(volume) else {
                throw GodwitError.taken(request.newName)
            }
            try requireUsable(made.namedVolumes)
            let record = InstanceRecord(
                definition: made, isWanted: false, isArriving: true, ownsVolume: true)
            try store.insert(record)
            do {
                let root = try await pool.createVolume(volume)
                try await withTree(of: source, request) { tree, snapshot in
                    guard let sharing = pool as? any LayerSharing else {
                        return try await importer.copyTree(from: tree, into: root)
                    }
                    try await sharing.fill(volume, as: request.source.text, at: snapshot)
                }
                try store.change(request.newName, lockedBy: nil) { record in
                    record.isArriving = false
                    record.ownsVolume = isPassing
                }
            } catch {
                await undoLaunch(record)
                throw error
            }
            tell(request.newName, .created)
        }
    }

    private func copied(
        _ source: InstanceRecord, _ request: CopyRequest
    ) throws -> InstanceDefinition {
        let snapshot = try request.snapshot.map { try whole($0, of: request.source) }
        var made = try request.definition(of: snapshot?.definition ?? source.definition)
        // Where its files are, and as whose, is the host's matter.
        made.pool = source.definition.pool
        made.idMap = source.definition.idMap
        made.created = .now
        made.uuid = .random()
        for index in made.interfaces.indices {
            made.interfaces[index].hardwareAddress = randomHardwareAddress()
        }
        try requireUsable(made.interfaces)
        return made
    }

    /// Gives the body a tree that nothing writes to meanwhile: the snapshot that is asked for, the
    /// volume of an instance that does not run, or a snapshot that is deleted afterwards; and the
    /// snapshot's name.
    private func withTree(
        of source: InstanceRecord, _ request: CopyRequest,
        _ body: (String, String?) async throws -> Void
    ) async throws {
        let volume = request.source.text
        if let snapshot = request.snapshot {
            return try await body(
                snapshotting(source.definition).path(of: snapshot.text, in: volume), snapshot.text)
        }
        let driver = try equipment.driver(source.definition.kind)
        guard try await driver.observe(source.definition).status == .running else {
            return try await body(equipment.pool(source.definition.pool).path(of: volume), nil)
        }
        let name = try SnapshotName("copy-\(request.newName)")
        let record = try await take(name, of: source)
        do {
            try await body(
                snapshotting(source.definition).path(of: name.text, in: volume), name.text)
        } catch {
            await undo(record, source)
            throw error
        }
        await undo(record, source)
    }
}
