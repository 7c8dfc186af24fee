import Logging
package import MigrationCore

extension HostService {
    package func instances() async throws -> [InstanceView] {
        var views: [InstanceView] = []
        for record in try store.instances() where !record.isArriving {
            views.append(await view(record))
        }
        return views
    }

    package func instance(_ name: InstanceName) async throws -> InstanceView {
        await view(try record(name))
    }

    private func view(_ record: InstanceRecord) async -> InstanceView {
        let definition = record.definition
        let driver = try? equipment.driver(definition.kind)
        let observation = try? await driver?.observe(definition)
        return InstanceView(
            definition: definition,
            observation: observation ?? InstanceObservation(status: .error),
            migration: record.lock,
            state: record.state?.phase == .saving ? nil : record.state,
            snapshots: ((try? store.snapshots(of: definition.name)) ?? [])
                .filter(\.isWhole).map(\.snapshot)
        )
    }

    package func start(_ name: InstanceName, _ use: StateUse) async throws {
        try await exclusively(name) { record in
            let driver = try equipment.driver(record.definition.kind)
            try await endOriginal(record, driver)
            guard try await driver.observe(record.definition).status == .stopped else {
                throw GodwitError(.alreadyRunning, "instance \(name) runs already")
            }
            switch (use, record.state) {
            case (.always, nil):
                throw GodwitError(
                    .notFound, "instance \(name) has no saved state",
                    remedy: "start it without --stateful")
            case (.ifKept, let state?), (.always, let state?):
                try await resume(record, state, use, driver)
            case (.never, _), (.ifKept, nil):
                try await discardState(of: record)
                try await start(record, driver)
            }
            tell(name, .started)
        }
    }

    func start(_ record: InstanceRecord, _ driver: any InstanceDriver) async throws {
        let definition = record.definition
        let root = try equipment.pool(definition.pool).path(of: definition.name.text)
        try await driver.start(equipment.placed(definition), root: root)
        try store.change(definition.name, lockedBy: nil) { $0.isWanted = true }
    }

    package func stop(_ name: InstanceName, force: Bool, grace: Duration) async throws {
        try await exclusively(name) { record in
            let driver = try await running(record)
            try await stop(record, driver, grace: force ? .zero : grace)
            tell(name, .stopped)
        }
    }

    func stop(
        _ record: InstanceRecord,
        _ driver: any Checkpointable,
        grace: Duration
    ) async throws {
        let definition = record.definition
        if try await driver.observe(definition).status == .frozen {
            try await driver.thaw(definition)
        }
        try await driver.stop(definition, grace: grace)
        try store.change(definition.name, lockedBy: nil) { $0.isWanted = false }
    }

    package func restart(_ name: InstanceName, force: Bool, grace: Duration) async throws {
        try await exclusively(name) { record in
            let driver = try await running(record)
            try await stop(record, driver, grace: force ? .zero : grace)
            try await start(record, driver)
            tell(name, .restarted)
        }
    }

    package func freeze(_ name: InstanceName) async throws {
        try await exclusively(name) { record in
            try await running(record).freeze(record.definition)
            tell(name, .frozen)
        }
    }

    package func unfreeze(_ name: InstanceName) async throws {
        try await exclusively(name) { record in
            try await running(record).thaw(record.definition)
            tell(name, .unfrozen)
        }
    }

    package func delete(_ name: InstanceName, force: Bool) async throws {
        try await exclusively(name) { record in
            let definition = record.definition
            let driver = try equipment.driver(definition.kind)
            let pool = try equipment.pool(definition.pool)
            if try await driver.observe(definition).status != .stopped {
                guard force else {
                    throw GodwitError(
                        .alreadyRunning,
                        "instance \(name) is not stopped",
                        remedy: "stop it first, or use --force"
                    )
                }
                try await stop(record, driver, grace: .zero)
            }
            try await driver.remove(definition)
            try await equipment.removeStates(ofSnapshotsOf: name)
            try await pool.deleteVolume(name.text)
            await pool.forgetDigest(of: name.text)
            try store.remove(name, lockedBy: nil)
            if let instance = definition.uuid {
                try store.removeBases(of: instance, in: definition.pool)
            }
            if let state = record.state { try await states.remove(state.id) }
            tell(name, .deleted)
        }
    }

    package func rename(_ name: InstanceName, to newName: InstanceName) async throws {
        try await exclusively(name) { record in
            let definition = record.definition
            let driver = try equipment.driver(definition.kind)
            let pool = try equipment.pool(definition.pool)
            guard try await driver.observe(definition).status == .stopped else {
                throw GodwitError(
                    .alreadyRunning,
                    "instance \(name) is not stopped",
                    remedy: "stop it before it gets another name"
                )
            }
            try requireNoState(record, for: "gets another name")
            guard try store.instance(newName) == nil, await !pool.hasVolume(newName.text) else {
                throw GodwitError.taken(newName)
            }
            try await driver.remove(definition)
            try await pool.renameVolume(name.text, to: newName.text)
            do {
                try store.change(name, lockedBy: nil) { $0.definition.name = newName }
            } catch {
                try await pool.renameVolume(newName.text, to: name.text)
                throw error
            }
            await pool.forgetDigest(of: name.text)
            tell(newName, .renamed)
        }
    }

    package func log(_ name: InstanceName, limit: ByteCount) async throws -> [UInt8] {
        let definition = try record(name).definition
        let limit = min(limit, Limit.instanceLog)
        return try await equipment.driver(definition.kind).log(definition, limit: limit)
    }

    package func execute(_ request: ExecuteRequest, in name: InstanceName) async throws -> Int32 {
        let record = try unlocked(name)
        return try await running(record).execute(request, in: record.definition)
    }
}

extension HostService {
    func tell(_ name: InstanceName, _ change: HostEvent.Change) {
        equipment.events(.instance(name, change, at: .now))
    }

    func record(_ name: InstanceName) throws -> InstanceRecord {
        guard let record = try store.instance(name), !record.isArriving else {
            throw GodwitError.unknown(name)
        }
        return record
    }

    /// - Throws: `busy` naming the migration that has it.
    func unlocked(_ name: InstanceName) throws -> InstanceRecord {
        try recoverOnce()
        if let record = try store.instance(name), let lock = record.lock {
            throw GodwitError.locked(name, by: lock)
        }
        return try record(name)
    }

    func running(_ record: InstanceRecord) async throws -> any Checkpointable {
        let driver = try equipment.driver(record.definition.kind)
        let status = try await driver.observe(record.definition).status
        guard status == .running || status == .frozen else {
            throw GodwitError(
                .notRunning,
                "instance \(record.definition.name) does not run",
                remedy: "start it first"
            )
        }
        return driver
    }

    /// The same for what the daemon does by itself: whoever wants the instance meanwhile waits.
    ///
    /// - Returns: false, with nothing done, where an operation or a migration has it now.
    func whileFree(
        _ name: InstanceName, _ body: (InstanceRecord) async throws -> Void
    ) async throws -> Bool {
        try recoverOnce()
        guard try store.instance(name)?.lock == nil, !operating.contains(name),
            tidying.insert(name).inserted
        else { return false }
        defer { tidying.remove(name) }
        try await exclusively(name, isTidying: true, body)
        return true
    }

    /// Does what is due, for ever.
    ///
    /// - Parameters:
    ///   - failure: what is said where that is not possible yet.
    ///   - body: returns when the next is due; nil if none is.
    func inTime(_ failure: String, _ body: () async throws -> Timestamp?) async {
        while !Task.isCancelled {
            // What has begun meanwhile is seen after this.
            var pause = Duration.seconds(5)
            do {
                if let next = try await body() {
                    let left = Int64(next.milliseconds - Timestamp.now.milliseconds)
                    pause = min(pause, .milliseconds(max(left, 10)))
                }
            } catch {
                logger.warning("\(failure)", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: pause)
        }
    }

    /// Runs an operation that nothing else may disturb: no other operation, no migration.
    func exclusively<Value>(
        _ name: InstanceName,
        isTidying: Bool = false,
        _ body: (InstanceRecord) async throws -> Value
    ) async throws -> Value {
        try recoverOnce()
        while !isTidying, tidying.contains(name) {
            try await Task.sleep(for: .milliseconds(10))
        }
        let record = try unlocked(name)
        guard operating.insert(name).inserted else {
            throw GodwitError(
                .busy,
                "another operation on instance \(name) is under way",
                remedy: "wait until it is over"
            )
        }
        defer { operating.remove(name) }
        return try await body(record)
    }
}
