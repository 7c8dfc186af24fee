import MigrationCore

/// Where one of an instance's volumes is on this host.
struct VolumePlace: Sendable {
    let pool: any MigratingPool
    /// As its pool's driver calls it.
    let name: String
    /// Nil for the root volume.
    let volume: VolumeReference?

    /// Removes what only a transfer needed.
    func forgetTransfer(_ cleanUp: (any MigratingPool, String) async throws -> Void) async throws {
        try await cleanUp(pool, name)
        await pool.forgetDigest(of: name)
    }
}

extension Equipment {
    /// - Parameter key: the volume's name in the migration: that under which the instance was
    ///   offered, for the root volume.
    func place(
        of key: String, in definition: InstanceDefinition, offeredAs root: InstanceName
    ) throws -> VolumePlace {
        guard key != root.text else { return try rootPlace(of: definition) }
        guard let volume = definition.namedVolumes.first(where: { $0.key == key }) else {
            throw GodwitError(.internalFault, "the plan has a volume that the instance has not")
        }
        return try place(of: volume)
    }

    func rootPlace(of definition: InstanceDefinition) throws -> VolumePlace {
        VolumePlace(pool: try pool(definition.pool), name: definition.name.text, volume: nil)
    }

    func place(of volume: VolumeReference) throws -> VolumePlace {
        VolumePlace(pool: try pool(volume.pool), name: volume.stored, volume: volume)
    }

    /// All that travel with the instance, its root volume first.
    func movingPlaces(
        of definition: InstanceDefinition, _ options: MoveOptions
    ) throws -> [VolumePlace] {
        try [rootPlace(of: definition)]
            + options.movingVolumes(of: definition).map { try place(of: $0) }
    }

    /// As an instance's driver needs it: each volume's place on this host beside its name.
    func placed(_ definition: InstanceDefinition) throws -> InstanceDefinition {
        var placed = definition
        for index in placed.mounts.indices {
            guard let volume = placed.mounts[index].volume else { continue }
            placed.mounts[index].hostPath = try pool(volume.pool).path(of: volume.stored)
        }
        return placed
    }

    /// Files that an instance has mapped shared and writable, by the volumes (as they are called in
    /// a migration) in which they are.
    func writableMappings(
        _ definition: InstanceDefinition, _ driver: any Checkpointable
    ) async throws -> VolumeMappings {
        let root = try rootPlace(of: definition)
        let paths = try await driver.writableMappings(
            placed(definition), root: root.pool.path(of: root.name))
        return VolumeMappings(paths, in: definition)
    }

    /// The instances that have it, but for one.
    func users(
        of volume: VolumeReference, but other: InstanceName? = nil
    ) throws -> [InstanceRecord] {
        try store.instances().filter {
            $0.definition.name != other && $0.definition.namedVolumes.contains(volume)
        }
    }

    /// Deletes the volume, and what this host knows of it.
    func remove(_ record: VolumeRecord) async throws {
        let place = try place(of: record.volume)
        try await place.pool.deleteVolume(place.name)
        await place.pool.forgetDigest(of: place.name)
        try store.removeVolume(record.volume)
    }
}

/// Paths of mapped files, as `/a/b` below the root of their volume.
struct VolumeMappings: Sendable {
    private var byVolume: [String: Set<String>] = [:]
    private let root: String

    static let empty = VolumeMappings([], mounts: [], root: "")

    /// - Parameter paths: as the instance sees them.
    init(_ paths: Set<String>, in definition: InstanceDefinition) {
        self.init(paths, mounts: definition.mounts, root: definition.name.text)
    }

    private init(_ paths: Set<String>, mounts: [MountDefinition], root: String) {
        self.root = root
        let places = mounts.map { (inside: $0.path, value: $0.volume) }
        for path in paths {
            guard let (volume, rest) = innermost(places, above: path) else {
                byVolume[root, default: []].insert(path)
                continue
            }
            if let volume { byVolume[volume.key, default: []].insert(rest) }
        }
    }

    var inRoot: Set<String> { self[root] }

    subscript(key: String) -> Set<String> { byVolume[key] ?? [] }
}
