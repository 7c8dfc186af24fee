package import Logging
package import MigrationCore
import Synchronization

/// The pools of a host by name: those that can be used, and those that cannot and why.
package final class PoolRegistry: Sendable {
    private let pools: Mutex<[String: Entry]>

    package struct Entry: Sendable {
        package var definition: PoolDefinition
        package var pool: Result<any MigratingPool, GodwitError>
        /// Whether the daemon's command line has it, and not its memory.
        package var isGiven: Bool

        package init(
            definition: PoolDefinition, pool: Result<any MigratingPool, GodwitError>,
            isGiven: Bool
        ) {
            self.definition = definition
            self.pool = pool
            self.isGiven = isGiven
        }
    }

    package init(_ entries: [Entry]) {
        pools = Mutex(
            Dictionary(entries.map { ($0.definition.name, $0) }, uniquingKeysWith: { $1 }))
    }

    /// - Throws: `notFound`, or why it cannot be used.
    package func pool(_ name: String) throws -> any MigratingPool {
        guard let entry = entry(name) else {
            throw GodwitError(
                .notFound, "this host has no pool \(name)",
                remedy: "make it with `godwit pool create`, or use one of "
                    + names.joined(separator: ", "))
        }
        return try entry.pool.get()
    }

    var names: [String] { pools.withLock { $0.keys.sorted() } }
    /// By name.
    var all: [Entry] { pools.withLock { pools in pools.keys.sorted().compactMap { pools[$0] } } }
    /// Those that can be used, by name.
    var usable: [(name: String, pool: any MigratingPool)] {
        all.compactMap { entry in
            (try? entry.pool.get()).map { (entry.definition.name, $0) }
        }
    }

    /// How volumes can come into each.
    var methods: [String: [VolumeMethod]] {
        Dictionary(usable.map { ($0.name, $0.pool.methods) }, uniquingKeysWith: { $1 })
    }

    func entry(_ name: String) -> Entry? { pools.withLock { $0[name] } }
    func put(_ entry: Entry) { pools.withLock { $0[entry.definition.name] = entry } }
    func remove(_ name: String) { pools.withLock { _ = $0.removeValue(forKey: name) } }
}

extension PoolRegistry {
    /// Opens what is remembered, removes what was being made or removed when the daemon ended.
    ///
    /// - Parameter given: those of the daemon's command line, made where they are missing.
    package static func open(
        given: [PoolDefinition], remembered store: StateStore, by maker: any PoolMaking,
        logger: Logger
    ) async throws -> PoolRegistry {
        var entries: [Entry] = []
        for definition in given {
            entries.append(
                await entry(definition, isGiven: true) {
                    try await maker.open(maker.create(definition))
                })
        }
        for record in try store.pools() where !given.contains(where: record.has) {
            let definition = record.definition
            guard record.isWhole else {
                await remove(definition, from: store, by: maker, logger)
                continue
            }
            entries.append(
                await entry(definition, isGiven: false) { try await maker.open(definition) })
        }
        return PoolRegistry(entries)
    }

    /// Removes what is left of a pool that is not whole. It is remembered until that is done.
    static func remove(
        _ definition: PoolDefinition, from store: StateStore, by maker: any PoolMaking,
        _ logger: Logger
    ) async {
        do {
            try await maker.destroy(definition)
            try store.removePool(definition.name)
        } catch {
            logger.error(
                "what a pool has left could not be removed; the daemon's next start tries again",
                metadata: ["pool": "\(definition.name)", "error": "\(error)"])
        }
    }

    private static func entry(
        _ definition: PoolDefinition, isGiven: Bool,
        _ open: () async throws -> any MigratingPool
    ) async -> Entry {
        let pool: Result<any MigratingPool, GodwitError>
        do { pool = .success(try await open()) } catch {
            pool = .failure(.wrapping(error, in: "opening the pool \(definition.name)"))
        }
        return Entry(definition: definition, pool: pool, isGiven: isGiven)
    }
}

extension PoolRecord {
    fileprivate func has(_ definition: PoolDefinition) -> Bool {
        definition.name == self.definition.name
    }
}
