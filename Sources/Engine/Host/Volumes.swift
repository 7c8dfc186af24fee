import Logging
package import MigrationCore

/// Named volumes: made, shown, attached to instances and detached, deleted.
extension HostService {
    package func volumes(in pool: String?) async throws -> [VolumeView] {
        if let pool { _ = try equipment.pool(pool) }
        var views: [VolumeView] = []
        for record in try store.volumes() where record.isWhole {
            guard pool == nil || record.volume.pool == pool else { continue }
            views.append(try await view(record))
        }
        return views
    }

    package func volume(_ volume: VolumeReference) async throws -> VolumeView {
        try await view(try whole(volume))
    }

    package func createVolume(_ volume: VolumeReference) async throws {
        try recoverOnce()
        try await changing(volume) {
            let place = try equipment.place(of: volume)
            guard await !place.pool.hasVolume(place.name) else { throw GodwitError.taken(volume) }
            var record = VolumeRecord(volume: volume, created: .now)
            try store.insert(record)
            do {
                _ = try await place.pool.createVolume(place.name)
                record.isWhole = true
                try store.save(record)
            } catch {
                await undo(record)
                throw error
            }
        }
    }

    package func deleteVolume(_ volume: VolumeReference) async throws {
        try recoverOnce()
        try await changing(volume) {
            // One that is not whole is what an earlier try has left.
            guard var record = try store.volume(volume), record.lock == nil else {
                throw GodwitError.unknown(volume)
            }
            let users = try equipment.users(of: volume).map(\.definition.name.text)
            guard users.isEmpty else {
                throw GodwitError(
                    .busy,
                    "the volume \(volume) is attached to \(users.joined(separator: ", "))",
                    remedy: "detach it first: godwit volume detach \(volume) \(users[0])")
            }
            // From here on nobody sees it.
            record.isWhole = false
            try store.save(record)
            try await equipment.remove(record)
        }
    }

    package func attachVolume(_ volume: VolumeReference, _ use: VolumeUse) async throws {
        try await exclusively(use.instance) { record in
            try await requireStopped(record, "gets a volume")
            var definition = record.definition
            definition.mounts.append(
                MountDefinition(path: use.path, isReadOnly: use.isReadOnly, volume: volume))
            guard definition.mounts.count <= Limit.mountsPerInstance else {
                throw GodwitError(
                    .limitExceeded,
                    "\(use.instance) has \(Limit.mountsPerInstance) mounts already")
            }
            try definition.requireUsableMounts()
            try await give([volume], to: definition)
            try requireUsable([volume])
            try store.change(use.instance, lockedBy: nil) { $0.definition = definition }
        }
    }

    package func detachVolume(
        _ volume: VolumeReference, from instance: InstanceName
    ) async throws {
        try await exclusively(instance) { record in
            guard record.definition.namedVolumes.contains(volume) else {
                throw GodwitError(
                    .notFound, "the volume \(volume) is not attached to \(instance)",
                    remedy: "see `godwit info \(instance)`")
            }
            try await requireStopped(record, "loses a volume")
            try store.change(instance, lockedBy: nil) { record in
                record.definition.mounts.removeAll { $0.volume == volume }
            }
        }
    }

    private func requireStopped(_ record: InstanceRecord, _ purpose: String) async throws {
        let driver = try equipment.driver(record.definition.kind)
        guard try await driver.observe(record.definition).status == .stopped else {
            throw GodwitError(
                .alreadyRunning, "instance \(record.definition.name) is not stopped",
                remedy: "stop it before it \(purpose)")
        }
        try requireNoState(record, for: purpose)
    }
}

extension HostService {
    /// Has the volumes' files belong to the instance, as far as they are nobody's yet.
    ///
    /// - Throws: `refused` if they are those of instances with other ids.
    func give(_ volumes: [VolumeReference], to definition: InstanceDefinition) async throws {
        for volume in volumes {
            try await changing(volume) {
                var record = try whole(volume)
                guard !record.isOwned else { return try require(record, has: definition) }
                let place = try equipment.place(of: volume)
                try await importer.own(
                    place.pool.path(of: place.name), by: definition.idMap)
                (record.isOwned, record.idMap) = (true, definition.idMap)
                try store.save(record)
            }
        }
    }

    private func require(_ record: VolumeRecord, has definition: InstanceDefinition) throws {
        guard record.idMap != definition.idMap else { return }
        let words = { (map: IDMap?) in map.map { "from \($0.hostStart)" } ?? "of the host" }
        throw GodwitError(
            .refused,
            "the files of the volume \(record.volume) have the ids \(words(record.idMap)), those "
                + "of \(definition.name) are the ids \(words(definition.idMap))",
            remedy: "attach it to instances with the same ids, or copy its files into a new volume")
    }

    /// - Throws: `notFound`, also for one that is being deleted; `busy` if one leaves with an
    ///   instance at this moment.
    func requireUsable(_ volumes: [VolumeReference]) throws {
        for volume in volumes {
            _ = try whole(volume)
            guard !changingVolumes.contains(volume) else { throw GodwitError.unknown(volume) }
            for user in try equipment.users(of: volume) {
                guard let lock = user.lock else { continue }
                throw GodwitError(
                    .busy,
                    "migration \(lock) has \(user.definition.name) and its volume \(volume)",
                    remedy: "wait until it is over, or cancel it")
            }
        }
    }

    private func whole(_ volume: VolumeReference) throws -> VolumeRecord {
        guard let record = try store.volume(volume), record.isWhole else {
            throw GodwitError.unknown(volume)
        }
        return record
    }

    private func view(_ record: VolumeRecord) async throws -> VolumeView {
        let volume = record.volume
        let place = try? equipment.place(of: volume)
        let uses = try equipment.users(of: volume).compactMap { user -> VolumeUse? in
            let mount = user.definition.mounts.first { $0.volume == volume }
            return mount.map {
                VolumeUse(
                    instance: user.definition.name, path: $0.path, isReadOnly: $0.isReadOnly)
            }
        }
        return VolumeView(
            volume: volume, created: record.created,
            used: try? await place?.pool.used(by: place?.name ?? ""), idMap: record.idMap,
            uses: uses)
    }

    /// One change of a volume at a time.
    private func changing(
        _ volume: VolumeReference, _ body: () async throws -> Void
    ) async throws {
        guard changingVolumes.insert(volume).inserted else {
            throw GodwitError(
                .busy, "the volume \(volume) is being made, given away or removed",
                remedy: "try again when that is done")
        }
        defer { changingVolumes.remove(volume) }
        try await body()
    }

    /// Removes what an earlier daemon was making or deleting, and what came with migrations of
    /// which nothing is left.
    func recoverVolumes(open: Set<MigrationID>) throws {
        for record in try store.volumes() where !record.isWhole {
            if let lock = record.lock, open.contains(lock) { continue }
            try submit { await self.undo(record) }
        }
    }

    private func undo(_ record: VolumeRecord) async {
        do { try await equipment.remove(record) } catch {
            logger.error(
                "a volume could not be removed; the daemon's next start tries again",
                metadata: ["volume": "\(record.volume)", "error": "\(error)"])
        }
    }
}
