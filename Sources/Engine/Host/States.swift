import Logging
package import MigrationCore

/// Stopping an instance so that it can go on where it stood, and going on.
///
/// As with a move, at every moment exactly one thing counts: the instance, until its state is on a
/// disk and so recorded; then the state, until the instance runs again and that is recorded.
extension HostService {
    package func stopStateful(_ name: InstanceName) async throws {
        try await exclusively(name) { record in
            let driver = try await running(record)
            try await requireSavable(record.definition, driver)
            try await save(record.definition, driver)
            // From here on the state is what counts.
            try await driver.end(record.definition)
            tell(name, .stopped)
        }
    }

    func requireSavable(
        _ definition: InstanceDefinition, _ driver: any Checkpointable
    ) async throws {
        let observation = try await driver.observe(definition)
        guard observation.status == .running else {
            throw GodwitError(
                .notRunning, "instance \(definition.name) does not run, or is frozen",
                remedy: "let it run before its state is saved")
        }
        if let obstacle = try await driver.obstacles(definition).first {
            throw GodwitError(
                .refused,
                "the state of \(definition.name) cannot be saved: \(obstacle.process) "
                    + "\(obstacle.detail) (\(obstacle.kind))",
                remedy: "end what is in the way (docs/checks.md), or leave --stateful out")
        }
        // Before it is written to the disk it is dumped into memory.
        let memory = try await equipment.hostFacts(for: nil).memoryAvailable
        let room = min(memory, try states.available)
        guard observation.memory <= room else {
            throw GodwitError(
                .noSpace,
                "the state of \(definition.name) takes up to \(observation.memory), and there are "
                    + "\(room) of \(room == memory ? "memory" : "disk")",
                remedy: "free some, or leave --stateful out")
        }
    }

    private func save(
        _ definition: InstanceDefinition, _ driver: any Checkpointable
    ) async throws {
        let state = SavedState(id: MigrationID.random().text, created: .now)
        let root = try equipment.pool(definition.pool).path(of: definition.name.text)
        try store.change(definition.name, lockedBy: nil) { $0.state = state }
        do {
            try await driver.freeze(definition)
            try await driver.dump(definition, options: MoveOptions())
            let kept = try await keep(state, of: definition, driver)
            try await states.sync(root)
            for volume in definition.namedVolumes {
                let place = try equipment.place(of: volume)
                try await states.sync(place.pool.path(of: place.name))
            }
            try store.change(definition.name, lockedBy: nil) { record in
                (record.state, record.isWanted) = (kept, false)
            }
        } catch {
            await goOn(definition, without: state, driver)
            throw error
        }
    }

    /// Writes what was dumped to the disk.
    func keep(
        _ state: SavedState, of definition: InstanceDefinition, _ driver: any Checkpointable
    ) async throws -> SavedState {
        let file = try await states.write(state.id)
        let sent = try await driver.sendCheckpoint(definition, over: file) { _ in }
        var kept = state
        (kept.phase, kept.digest, kept.bytes) = (.kept, sent.digest, sent.bytes)
        return kept
    }

    /// The instance itself is what counts, and runs again.
    private func goOn(
        _ definition: InstanceDefinition, without state: SavedState, _ driver: any Checkpointable
    ) async {
        do {
            try await letRun(definition, driver)
            try await states.remove(state.id)
            try store.change(definition.name, lockedBy: nil) { $0.state = nil }
        } catch {
            logger.error(
                "an instance could not go on after its state was not saved",
                metadata: ["instance": "\(definition.name)", "error": "\(error)"])
        }
    }

    /// Ends what is left of an instance whose state is what counts.
    func endOriginal(_ record: InstanceRecord, _ driver: any Checkpointable) async throws {
        guard record.state?.phase == .kept else { return }
        try await driver.end(record.definition)
    }

    func resume(
        _ record: InstanceRecord, _ state: SavedState, _ use: StateUse,
        _ driver: any Checkpointable
    ) async throws {
        guard state.phase == .kept || use == .always else { throw GodwitError.doubtful(record) }
        let name = record.definition.name
        try mark(name, .resuming)
        do { try await restore(record.definition, state, driver) } catch {
            // Without a first process there are only the tools that were to make it.
            let hasRun = try await driver.observe(record.definition).pid != nil
            try await driver.discardRestore(record.definition)
            if !hasRun { try mark(name, .kept) }
            throw GodwitError(
                (error as? GodwitError)?.code ?? .restoreFailed,
                "\(name) could not go on from its saved state, which is kept",
                remedy: "mend the cause and start it again, or start it anew with --stateless",
                cause: "\(error)")
        }
        try await forget(state, of: name, andWants: true)
    }

    func restore(
        _ definition: InstanceDefinition, _ state: SavedState, _ driver: any Checkpointable
    ) async throws {
        let root = try equipment.pool(definition.pool).path(of: definition.name.text)
        let options = MoveOptions()
        let file = try await states.read(state.id)
        let definition = try equipment.placed(definition)
        try await driver.prepareRestore(definition, root: root)
        let received = try await driver.receiveCheckpoint(
            definition, root: root, options: options, from: file, progress: { _ in })
        guard received.digest == state.digest else {
            throw GodwitError(
                .stateUnreadable, "the saved state is not what was written",
                remedy: "look after the disk; the instance can only be started anew")
        }
        _ = try await driver.restore(definition, root: root, options: options)
    }

    private func mark(_ name: InstanceName, _ phase: SavedState.Phase) throws {
        try store.change(name, lockedBy: nil) { $0.state?.phase = phase }
    }

    func discardState(of record: InstanceRecord) async throws {
        guard let state = record.state else { return }
        try await forget(state, of: record.definition.name)
    }

    private func forget(
        _ state: SavedState, of name: InstanceName, andWants isWanted: Bool = false
    ) async throws {
        try store.change(name, lockedBy: nil) { record in
            record.state = nil
            if isWanted { record.isWanted = true }
        }
        try await states.remove(state.id)
    }

    func requireNoState(_ record: InstanceRecord, for purpose: String) throws {
        guard record.state != nil else { return }
        throw GodwitError(
            .refused, "instance \(record.definition.name) has a saved state",
            remedy: "start it before it \(purpose), or discard the state with "
                + "`godwit start --stateless`")
    }
}

extension HostService {
    /// Takes up what was being saved or resumed when an earlier run ended.
    func recoverStates() throws {
        let records = try store.instances()
        for record in records where record.state != nil {
            let name = record.definition.name
            tidying.insert(name)
            try submit {
                await self.recoverState(of: record)
                await self.release(name)
            }
        }
        let snapshots = try store.snapshots().filter(\.isWhole)
        let copies = try store.kept().flatMap(\.states.values).map(\.id)
        let kept = records.compactMap(\.state?.id) + snapshots.compactMap(\.state?.id) + copies
        try states.removeAll(but: Set(kept))
    }

    private func release(_ name: InstanceName) { tidying.remove(name) }

    private func recoverState(of record: InstanceRecord) async {
        guard let state = record.state else { return }
        let definition = record.definition
        do {
            let driver = try equipment.driver(definition.kind)
            switch state.phase {
            case .saving: await goOn(definition, without: state, driver)
            case .kept: try await driver.end(definition)
            case .resuming: try await recoverResumed(definition, state, driver)
            }
        } catch {
            logger.error(
                "what a saved state was used for could not be taken up",
                metadata: ["instance": "\(definition.name)", "error": "\(error)"])
        }
    }

    /// It runs, or has ended since; else nobody knows, and a person decides.
    private func recoverResumed(
        _ definition: InstanceDefinition, _ state: SavedState, _ driver: any Checkpointable
    ) async throws {
        let observation = try await driver.observe(definition)
        guard observation.pid != nil || observation.exitStatus != nil else {
            return try await driver.discardRestore(definition)
        }
        try await forget(state, of: definition.name, andWants: observation.pid != nil)
    }
}

extension GodwitError {
    fileprivate static func doubtful(_ record: InstanceRecord) -> GodwitError {
        GodwitError(
            .refused,
            "going on from the saved state of \(record.definition.name) was cut off; it may have "
                + "run for a moment and have changed its files",
            remedy: "start it with --stateful to go on from it all the same, or with --stateless")
    }
}
