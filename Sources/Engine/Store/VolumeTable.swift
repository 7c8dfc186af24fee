import Foundation
import GRDB
package import MigrationCore

/// A named volume as the host remembers it.
package struct VolumeRecord: Codable, Equatable, Sendable {
    package var volume: VolumeReference
    package var created: Timestamp
    /// False from before it is made until it is, and from before it is removed.
    package var isWhole: Bool
    /// The migration with which it is arriving.
    package var lock: MigrationID?
    /// Whether its files have an instance's ids already, and which those are.
    package var isOwned: Bool
    package var idMap: IDMap?

    package init(
        volume: VolumeReference, created: Timestamp, isWhole: Bool = false,
        lock: MigrationID? = nil, isOwned: Bool = false, idMap: IDMap? = nil
    ) {
        self.volume = volume
        self.created = created
        self.isWhole = isWhole
        self.lock = lock
        self.isOwned = isOwned
        self.idMap = idMap
    }
}

extension StateStore {
    /// By pool and name; those that arrive, and those that are not whole, are among them.
    package func volumes() throws -> [VolumeRecord] {
        try read { database in
            try Data.fetchAll(database, sql: "SELECT record FROM volumes ORDER BY pool, name")
                .map { try decoded(VolumeRecord.self, $0) }
        }
    }

    package func volume(_ volume: VolumeReference) throws -> VolumeRecord? {
        try read { database in
            try Data.fetchOne(
                database, sql: "SELECT record FROM volumes WHERE pool = ? AND name = ?",
                arguments: [volume.pool, volume.name.text]
            )
            .map { try decoded(VolumeRecord.self, $0) }
        }
    }

    /// Those that arrive with the migration.
    package func volumes(lockedBy lock: MigrationID) throws -> [VolumeRecord] {
        try volumes().filter { $0.lock == lock }
    }

    /// Writes a new one.
    ///
    /// - Throws: `nameTaken`, `limitExceeded`.
    package func insert(_ record: VolumeRecord) throws {
        try write { database in
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM volumes") ?? 0
            guard count < Limit.volumes else {
                throw GodwitError(
                    .limitExceeded,
                    "this host has \(count) named volumes already, the most that it takes",
                    remedy: "delete one")
            }
            let known = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM volumes WHERE pool = ? AND name = ?",
                arguments: [record.volume.pool, record.volume.name.text])
            guard known == 0 else { throw GodwitError.taken(record.volume) }
            try put(database, record)
        }
    }

    /// Writes it, in place of an earlier one of the name.
    package func save(_ record: VolumeRecord) throws {
        try write { try put($0, record) }
    }

    /// What has arrived with the migration is this host's own from now on.
    package func adoptVolumes(lockedBy lock: MigrationID) throws {
        for var record in try volumes(lockedBy: lock) {
            (record.isWhole, record.lock) = (true, nil)
            try save(record)
        }
    }

    package func removeVolume(_ volume: VolumeReference) throws {
        try write { database in
            try database.execute(
                sql: "DELETE FROM volumes WHERE pool = ? AND name = ?",
                arguments: [volume.pool, volume.name.text])
        }
    }

    private func put(_ database: Database, _ record: VolumeRecord) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO volumes VALUES (?, ?, ?)",
            arguments: [record.volume.pool, record.volume.name.text, try encoded(record)])
    }
}

extension GodwitError {
    static func taken(_ volume: VolumeReference) -> GodwitError {
        GodwitError(
            .nameTaken, "there is a volume \(volume) on this host already",
            remedy: "choose another name, or delete that volume")
    }

    static func unknown(_ volume: VolumeReference) -> GodwitError {
        GodwitError(
            .notFound, "there is no volume \(volume) on this host",
            remedy: "see `godwit volume list`, or make it: godwit volume create \(volume)")
    }
}
