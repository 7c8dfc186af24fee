package import MigrationCore

/// The host's pools: made, shown, grown and removed.
extension HostService {
    package func pools() async throws -> [PoolView] {
        var views: [PoolView] = []
        for entry in equipment.pools.all { views.append(try await view(entry)) }
        return views
    }

    package func pool(_ name: String) async throws -> PoolView {
        try await view(try entry(name))
    }

    package func createPool(_ definition: PoolDefinition) async throws {
        try recoverOnce()
        try definition.validate()
        let name = definition.name
        try await changingPool(name) {
            guard equipment.pools.entry(name) == nil else {
                throw GodwitError(
                    .nameTaken, "this host has a pool \(name) already",
                    remedy: "choose another name, or delete that pool")
            }
            var record = PoolRecord(definition: definition, isWhole: false)
            try store.save(record)
            do {
                record.definition = try await poolMaker.create(definition)
                let pool = try await poolMaker.open(record.definition)
                record.isWhole = true
                try store.save(record)
                equipment.pools.put(
                    .init(definition: record.definition, pool: .success(pool), isGiven: false))
            } catch {
                await PoolRegistry.remove(
                    record.definition, from: store, by: poolMaker, logger)
                throw error
            }
        }
    }

    package func growPool(_ name: String, to size: ByteCount) async throws {
        try await changingPool(name) {
            var entry = try entry(name)
            entry.definition = try await poolMaker.grow(entry.definition, to: size)
            if !entry.isGiven {
                try store.save(PoolRecord(definition: entry.definition, isWhole: true))
            }
            equipment.pools.put(entry)
        }
    }

    package func deletePool(_ name: String) async throws {
        try recoverOnce()
        try await changingPool(name) {
            let entry = try entry(name)
            guard !entry.isGiven else {
                throw GodwitError(
                    .badRequest, "the pool \(name) is the daemon's own",
                    remedy: "take it from the daemon's command line (`--pool`)")
            }
            let users = try users(of: name)
            let volumes = try volumes(of: name).map { "the volume \($0)" }
            guard users.isEmpty, volumes.isEmpty else {
                throw GodwitError(
                    .busy, "the pool \(name) holds \((users + volumes).joined(separator: ", "))",
                    remedy: "move or delete the instances and volumes first")
            }
            // From here on nothing new comes into it.
            equipment.pools.remove(name)
            await dropCopies(in: name, entry)
            var record = PoolRecord(definition: entry.definition, isWhole: false)
            do {
                try store.save(record)
                try await poolMaker.destroy(entry.definition)
                try store.removePool(name)
                for record in try store.kept(in: name) { try store.removeKept(record.id) }
            } catch {
                record.isWhole = true
                try store.save(record)
                equipment.pools.put(entry)
                throw error
            }
        }
    }

    private func entry(_ name: String) throws -> PoolRegistry.Entry {
        guard let entry = equipment.pools.entry(name) else {
            throw GodwitError(
                .notFound, "this host has no pool \(name)", remedy: "see `godwit pool list`")
        }
        return entry
    }

    /// They go with their pool. Where one cannot be removed the pool will not be, either.
    private func dropCopies(in name: String, _ entry: PoolRegistry.Entry) async {
        let records = (try? store.kept(in: name)) ?? []
        guard !records.isEmpty else { return }
        var pool = try? entry.pool.get()
        // What could not be used when the daemon started may be there again.
        if pool == nil { pool = try? await poolMaker.open(entry.definition) }
        for record in records { await equipment.drop(record, in: pool) }
    }

    private func users(of pool: String) throws -> [String] {
        try store.instances().map(\.definition).filter { $0.pool == pool }.map(\.name.text)
    }

    private func volumes(of pool: String) throws -> [String] {
        try store.volumes().map(\.volume).filter { $0.pool == pool }.map(\.name.text)
    }

    private func view(_ entry: PoolRegistry.Entry) async throws -> PoolView {
        var view = PoolView(
            definition: entry.definition, facts: nil,
            instances: try users(of: entry.definition.name),
            volumes: try volumes(of: entry.definition.name),
            kept: try copies(in: entry.definition.name))
        do { view.facts = try await entry.pool.get().facts() } catch { view.fault = "\(error)" }
        return view
    }

    /// One change of a pool at a time.
    private func changingPool(_ name: String, _ body: () async throws -> Void) async throws {
        guard changingPools.insert(name).inserted else {
            throw GodwitError(
                .busy, "the pool \(name) is being made, grown or removed",
                remedy: "try again when that is done")
        }
        defer { changingPools.remove(name) }
        try await body()
    }
}
