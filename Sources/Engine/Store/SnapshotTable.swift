import Foundation
import GRDB
package import MigrationCore

/// A snapshot as the host remembers it.
package struct SnapshotRecord: Codable, Equatable, Sendable {
    package var instance: InstanceName
    package var snapshot: Snapshot
    /// The instance's, as it was then.
    package var definition: InstanceDefinition
    /// False from before it is made until it is, and from before it is deleted.
    package var isWhole: Bool
    /// While it is not whole: the instance is frozen for it by the daemon, and nobody else.
    package var freezes: Bool
    /// Of a stateful one.
    package var state: SavedState?

    package init(
        snapshot: Snapshot, of definition: InstanceDefinition, isWhole: Bool = false,
        freezes: Bool = false, state: SavedState? = nil
    ) {
        self.state = state
        instance = definition.name
        self.snapshot = snapshot
        self.definition = definition
        self.isWhole = isWhole
        self.freezes = freezes
    }

    package var name: SnapshotName { snapshot.name }
    var view: SnapshotView { SnapshotView(snapshot: snapshot, definition: definition) }
}

extension StateStore {
    /// Oldest first.
    package func snapshots(of name: InstanceName) throws -> [SnapshotRecord] {
        try read { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM snapshots WHERE instance = ?",
                arguments: [name.text]
            )
            .map(snapshotRecord).sorted { $0.snapshot.created < $1.snapshot.created }
        }
    }

    /// Of all instances, oldest first.
    package func snapshots() throws -> [SnapshotRecord] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM snapshots").map(snapshotRecord)
                .sorted { $0.snapshot.created < $1.snapshot.created }
        }
    }

    package func snapshot(
        _ snapshot: SnapshotName, of name: InstanceName
    ) throws -> SnapshotRecord? {
        try read { try fetch($0, snapshot, of: name) }
    }

    /// - Throws: `nameTaken`, `limitExceeded`.
    package func insert(_ record: SnapshotRecord) throws {
        try write { database in
            let count = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM snapshots WHERE instance = ?",
                arguments: [record.instance.text])
            guard (count ?? 0) < Limit.snapshotsPerInstance else {
                throw GodwitError(
                    .limitExceeded,
                    "\(record.instance) has \(count ?? 0) snapshots, the most that it may have",
                    remedy: "delete one")
            }
            guard try fetch(database, record.name, of: record.instance) == nil else {
                throw GodwitError(
                    .nameTaken, "\(record.instance) has a snapshot \(record.name) already",
                    remedy: "delete it, or choose another name")
            }
            try put(database, record)
        }
    }

    package func save(_ record: SnapshotRecord) throws {
        try write { try put($0, record) }
    }

    package func removeSnapshot(_ snapshot: SnapshotName, of name: InstanceName) throws {
        try write {
            try $0.execute(
                sql: "DELETE FROM snapshots WHERE instance = ? AND name = ?",
                arguments: [name.text, snapshot.text])
        }
    }

    func removeSnapshots(_ database: Database, of name: InstanceName) throws {
        try database.execute(
            sql: "DELETE FROM snapshots WHERE instance = ?", arguments: [name.text])
    }

    func moveSnapshots(
        _ database: Database, of name: InstanceName, to newName: InstanceName
    ) throws {
        try database.execute(
            sql: "UPDATE snapshots SET instance = ? WHERE instance = ?",
            arguments: [newName.text, name.text])
    }

    private func fetch(
        _ database: Database, _ snapshot: SnapshotName, of name: InstanceName
    ) throws -> SnapshotRecord? {
        try Row.fetchOne(
            database, sql: "SELECT * FROM snapshots WHERE instance = ? AND name = ?",
            arguments: [name.text, snapshot.text]
        )
        .map(snapshotRecord)
    }

    private func put(_ database: Database, _ record: SnapshotRecord) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)",
            arguments: [record.instance.text, record.name.text, try encoded(record)])
    }

    /// The column has the name that the instance has now.
    private func snapshotRecord(_ row: Row) throws -> SnapshotRecord {
        var record = try decoded(SnapshotRecord.self, row["record"])
        record.instance = try InstanceName(row["instance"])
        return record
    }
}
