import Foundation
import GRDB
package import MigrationCore

/// An instance as the host remembers it.
package struct InstanceRecord: Equatable, Sendable {
    package var definition: InstanceDefinition
    /// Whether the operator wants it to run.
    package var isWanted: Bool
    /// The migration that has it; nobody else may change it meanwhile.
    package var lock: MigrationID?
    /// It is only a reservation: the instance is another host's until it is adopted.
    package var isArriving: Bool
    /// The migration has made the volume, so that it may also remove it.
    package var ownsVolume: Bool
    /// A copy that is here only to move to another host.
    var isPassing: Bool { ownsVolume && !isArriving }
    /// Of its processes, while they do not run.
    package var state: SavedState?

    package init(
        definition: InstanceDefinition,
        isWanted: Bool,
        lock: MigrationID? = nil,
        isArriving: Bool = false,
        ownsVolume: Bool = false,
        state: SavedState? = nil
    ) {
        self.state = state
        self.definition = definition
        self.isWanted = isWanted
        self.lock = lock
        self.isArriving = isArriving
        self.ownsVolume = ownsVolume
    }
}

extension StateStore {
    /// By name; reservations are among them.
    package func instances() throws -> [InstanceRecord] {
        try read { try Row.fetchAll($0, sql: "SELECT * FROM instances ORDER BY name").map(record) }
    }

    package func instance(_ name: InstanceName) throws -> InstanceRecord? {
        try read { try fetch($0, name) }
    }

    /// - Throws: `nameTaken`, `limitExceeded`.
    package func insert(_ record: InstanceRecord) throws {
        try write { database in
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM instances") ?? 0
            guard count < Limit.instances else {
                throw GodwitError(
                    .limitExceeded,
                    "this host has \(count) instances already, the most that it takes",
                    remedy: "delete one"
                )
            }
            guard try fetch(database, record.definition.name) == nil else {
                throw GodwitError.taken(record.definition.name)
            }
            try put(database, record)
        }
    }

    /// Changes the record if it (still) exists and has the lock that is expected.
    ///
    /// - Returns: whether it did.
    @discardableResult package func change(
        _ name: InstanceName,
        lockedBy lock: MigrationID?,
        _ body: (inout InstanceRecord) -> Void
    ) throws -> Bool {
        try write { database in
            guard var record = try fetch(database, name), record.lock == lock else { return false }
            body(&record)
            if record.definition.name != name {
                guard try fetch(database, record.definition.name) == nil else {
                    throw GodwitError.taken(record.definition.name)
                }
                try moveSnapshots(database, of: name, to: record.definition.name)
                try delete(database, name)
            }
            try put(database, record)
            return true
        }
    }

    /// Removes the record, with those of its snapshots, if it has the lock that is expected.
    package func remove(_ name: InstanceName, lockedBy lock: MigrationID?) throws {
        try write { database in
            guard let record = try fetch(database, name), record.lock == lock else { return }
            try removeSnapshots(database, of: name)
            try delete(database, name)
        }
    }

    /// The instance that a migration has, if it still has one.
    package func instance(lockedBy lock: MigrationID) throws -> InstanceRecord? {
        try read {
            try Row.fetchOne(
                $0,
                sql: "SELECT * FROM instances WHERE lock = ?",
                arguments: [lock.text]
            )
            .map(record)
        }
    }

    func fetch(_ database: Database, _ name: InstanceName) throws -> InstanceRecord? {
        try Row.fetchOne(
            database,
            sql: "SELECT * FROM instances WHERE name = ?",
            arguments: [name.text]
        )
        .map(record)
    }

    func put(_ database: Database, _ record: InstanceRecord) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO instances VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                record.definition.name.text, try encoded(record.definition), record.isWanted,
                record.lock?.text, record.isArriving, record.ownsVolume,
                try record.state.map(encoded),
            ]
        )
    }

    func delete(_ database: Database, _ name: InstanceName) throws {
        try database.execute(sql: "DELETE FROM instances WHERE name = ?", arguments: [name.text])
    }

    private func record(_ row: Row) throws -> InstanceRecord {
        let lock: String? = row["lock"]
        return InstanceRecord(
            definition: try decoded(InstanceDefinition.self, row["definition"]),
            isWanted: row["isWanted"],
            lock: try lock.map { text throws(GodwitError) in try MigrationID(text) },
            isArriving: row["isArriving"],
            ownsVolume: row["ownsVolume"],
            state: try (row["state"] as Data?).map { try decoded(SavedState.self, $0) }
        )
    }
}

extension GodwitError {
    static func taken(_ name: InstanceName) -> GodwitError {
        GodwitError(
            .nameTaken,
            "there is an instance \(name) on this host already",
            remedy: "choose another name, or delete that instance"
        )
    }

    static func unknown(_ name: InstanceName) -> GodwitError {
        GodwitError(
            .notFound,
            "there is no instance \(name) on this host",
            remedy: "see `godwit list`"
        )
    }

    static func locked(_ name: InstanceName, by migration: MigrationID) -> GodwitError {
        GodwitError(
            .busy,
            "migration \(migration) has instance \(name)",
            remedy: "wait until it is over, or cancel it"
        )
    }
}
