import Logging
package import MigrationCore

/// Copies of instances that have left, and what is kept beside those that have come.
extension HostService {
    /// Removes what is due, for ever; a child of `run`.
    func removeCopiesInTime() async {
        await inTime("kept copies could not be looked at") { try await removeExpiredCopies() }
    }

    /// - Returns: when the next is due; nil if none is.
    package func removeExpiredCopies() async throws -> Timestamp? {
        let now = Timestamp.now
        let known = try store.kept().filter(\.isAtRest)
        for record in known where record.copy.expires <= now { await drop(record) }
        try await keepWithinRoom()
        await removeBrokenPasses(now)
        return known.map(\.copy.expires).filter { $0 > now }.min()
    }

    private func removeBrokenPasses(_ now: Timestamp) async {
        let longAgo = Timestamp(
            milliseconds: now.milliseconds - Int64(Limit.partialCopySeconds) * 1_000)
        for (name, pool) in equipment.pools.usable {
            guard let pool = pool as? any PassResuming else { continue }
            do { try await pool.removeBrokenPasses(before: longAgo) } catch {
                logger.warning(
                    "what is kept of a pass that broke could not be removed yet",
                    metadata: ["pool": "\(name)", "error": "\(error)"])
            }
        }
    }

    /// Copies never take more than what is free besides: as a pool fills up they go, oldest first.
    private func keepWithinRoom() async throws {
        let volumes = try store.kept().filter { $0.isAtRest && $0.copy.kind.isVolume }
        for (name, copies) in Dictionary(grouping: volumes, by: \.copy.pool) {
            var taken = copies.reduce(ByteCount.zero) { $0 + $1.copy.used }
            // One whose disk is missing has nothing that could be removed.
            guard let pool = try? equipment.pool(name) else { continue }
            for record in copies {
                guard try await pool.facts().available < taken else { break }
                taken = ByteCount(bytes: taken.bytes - min(taken.bytes, record.copy.used.bytes))
                await equipment.drop(record)
            }
        }
    }

    package func prunePool(_ name: String) async throws -> [KeptCopy] {
        try recoverOnce()
        _ = try equipment.pool(name)
        let before = try store.kept(in: name).filter(\.isAtRest)
        for record in before { await drop(record) }
        let left = Set(try store.kept(in: name).map(\.id))
        return before.map(\.copy).filter { !left.contains($0.id) }
    }

    func copies(in pool: String) throws -> [KeptCopy] {
        try store.kept(in: pool).filter(\.isAtRest).map(\.copy)
    }

    private func drop(_ record: KeptRecord) async {
        switch record.copy.kind {
        case .volume, .partial: await equipment.drop(record)
        case .base:
            do { try await dropBase(record) } catch {
                logger.warning(
                    "the base of a move back could not be removed yet",
                    metadata: ["instance": "\(record.copy.name)", "error": "\(error)"])
            }
        }
    }

    /// One of an instance that a migration or an operation has now is looked at again.
    private func dropBase(_ record: KeptRecord) async throws {
        let owner = try store.instances().first {
            $0.definition.uuid == record.copy.instance && $0.definition.pool == record.copy.pool
        }
        guard let owner else { return try store.removeKept(record.id) }
        let name = owner.definition.name
        _ = try await whileFree(name) { instance in
            let pool = try equipment.pool(instance.definition.pool) as? any BaseKeeping
            try await pool?.removeBase(of: name.text)
            try store.removeKept(record.id)
        }
    }
}

extension HostService {
    /// Gives instances of earlier versions what tells them from others, and removes what an earlier
    /// daemon was keeping or removing.
    func recoverKept(open: Set<MigrationID>) throws {
        for record in try store.instances() where record.definition.uuid == nil {
            try store.change(record.definition.name, lockedBy: record.lock) {
                $0.definition.uuid = .random()
            }
        }
        // What an open migration was keeping it goes on with.
        let halves = try store.kept().filter { !$0.isWhole && !open.contains($0.id) }
        try submit {
            for record in halves { await self.equipment.drop(record) }
            await self.sweepKept()
        }
    }

    /// Removes what nobody remembers.
    private func sweepKept() async {
        for (name, pool) in equipment.pools.usable {
            guard let pool = pool as? any VolumeKeeping else { continue }
            do {
                // Read first: every copy is written down before it is made.
                let found = try await pool.keptCopies()
                let known = Set(try store.kept().map(\.id.text))
                for copy in found.subtracting(known) { try await pool.removeKept(copy) }
                if let pool = pool as? any BaseKeeping { try await sweepBases(in: name, pool) }
            } catch {
                logger.warning(
                    "kept copies of a pool could not be looked through",
                    metadata: ["pool": "\(name)", "error": "\(error)"])
            }
        }
    }

    private func sweepBases(in name: String, _ pool: any BaseKeeping) async throws {
        let known = Set(
            try store.kept(in: name).filter { $0.copy.kind == .base }.map(\.copy.instance))
        for record in try store.instances() where record.definition.pool == name {
            guard record.lock == nil, !record.isArriving,
                record.definition.uuid.map({ !known.contains($0) }) ?? true
            else { continue }
            try await pool.removeBase(of: record.definition.name.text)
        }
    }
}
