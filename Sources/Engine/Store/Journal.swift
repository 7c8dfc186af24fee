import Foundation
import GRDB
package import MigrationCore

/// The newest thing that one side has written down about a migration.
package struct JournalEntry<Record: Sendable, Context: Sendable>: Sendable {
    package let migration: MigrationID
    package let record: Record
    /// What a restart needs besides the record.
    package let context: Context
}

/// What the source of a migration needs after a restart.
package struct SourceContext: Codable, Equatable, Sendable {
    package var definition: InstanceDefinition
    package var remote: RemoteName
    package var options: MoveOptions
    /// Whether the instance ran when the migration began.
    package var wasRunning: Bool
    /// For how long a copy of its files is kept here after the move; nil: not at all.
    package var keepSeconds: UInt32?
}

/// What the target of a migration needs after a restart.
package struct TargetContext: Codable, Equatable, Sendable {
    package var peer: PeerIdentity
    package var offer: Offer?
    package var plan: Plan?
}

extension StateStore {
    /// Locks the instance for the migration and stores the first report, or does neither.
    ///
    /// - Throws: `notFound`; `busy` naming the migration that has it.
    func begin(_ report: MigrationReport) throws -> InstanceRecord {
        try write { database in
            guard var record = try fetch(database, report.instance), !record.isArriving else {
                throw GodwitError.unknown(report.instance)
            }
            if let lock = record.lock { throw GodwitError.locked(report.instance, by: lock) }
            record.lock = report.id
            try put(database, record)
            try put(database, report)
            return record
        }
    }

    package func save(_ report: MigrationReport) throws {
        try write { try put($0, report) }
    }

    /// Newest first, both sides.
    package func reports(of name: InstanceName? = nil) throws -> [MigrationReport] {
        try read { database in
            let rows =
                if let name {
                    try Data.fetchAll(
                        database,
                        sql: """
                            SELECT report FROM migrations WHERE instance = ? OR newName = ?
                            ORDER BY started DESC, rowid DESC
                            """,
                        arguments: [name.text, name.text]
                    )
                } else {
                    try Data.fetchAll(
                        database,
                        sql: "SELECT report FROM migrations ORDER BY started DESC, rowid DESC"
                    )
                }
            return try rows.map { try decoded(MigrationReport.self, $0) }
        }
    }

    package func report(_ id: MigrationID) throws -> MigrationReport? {
        try read { database in
            try Data.fetchOne(
                database,
                sql: "SELECT report FROM migrations WHERE id = ? ORDER BY side",
                arguments: [id.text]
            )
            .map { try decoded(MigrationReport.self, $0) }
        }
    }

    /// Writes the record; with `closed` the instance, if it is still here, is unlocked as well.
    func append(_ record: SourceRecord, to id: MigrationID, _ context: SourceContext) throws {
        try write { database in
            let isClosed = record == .closed
            try append(database, id, .source, record, context, isSettled: isClosed)
            guard isClosed else { return }
            try database.execute(
                sql: "UPDATE instances SET lock = NULL WHERE lock = ? AND isArriving = 0",
                arguments: [id.text]
            )
            try prune(database, keeping: Limit.migrationsKept)
        }
    }

    func append(_ record: TargetRecord, to id: MigrationID, _ context: TargetContext) throws {
        let isSettled =
            switch record {
            case .cleaned, .closed: true
            case .prepared, .taken, .running, .lost, .finished, .declined: false
            }
        try write { database in
            try append(database, id, .target, record, context, isSettled: isSettled)
            if isSettled { try prune(database, keeping: Limit.migrationsKept) }
        }
    }

    /// Every migration of which this host was the source and whose journal is not closed.
    package func openSources() throws -> [JournalEntry<SourceRecord, SourceContext>] {
        try read { database in
            try latest(database, .source).filter { $0["isSettled"] == false }.map(entry)
        }
    }

    /// What this host, as the target, last wrote about the migration.
    package func targetEntry(
        _ id: MigrationID
    ) throws -> JournalEntry<TargetRecord, TargetContext>? {
        try read { try latest($0, .target, id).first.map(entry) }
    }

    /// Every migration whose target is this host and which something here still depends on.
    package func openTargets() throws -> [JournalEntry<TargetRecord, TargetContext>] {
        try read { database in
            let sql = "SELECT lock FROM instances WHERE isArriving = 1 AND lock IS NOT NULL"
            let reserved = Set(try String.fetchAll(database, sql: sql))
            return try latest(database, .target).map { try entry($0, reserved: reserved) }
                .compactMap { $0 }
        }
    }

    /// Frees instances whose lock no journal explains: the daemon died before the first record.
    func releaseStaleLocks() throws {
        let open = Set(try openSources().map(\.migration))
        for record in try instances() where !record.isArriving {
            guard let lock = record.lock, !open.contains(lock) else { continue }
            try change(record.definition.name, lockedBy: lock) { $0.lock = nil }
        }
    }

    /// Removes the oldest settled journals and the oldest ended reports beyond the number.
    ///
    /// A `finished` that the source has not acknowledged is never removed. A `cleaned` may be:
    /// asked about a migration that it does not know, the target declines as well.
    package func prune(keeping count: Int) throws {
        try write { try prune($0, keeping: count) }
    }
}

extension StateStore {
    private func put(_ database: Database, _ report: MigrationReport) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO migrations VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                report.id.text, report.side.rawValue, report.instance.text, report.newName.text,
                report.started.milliseconds, try encoded(report),
            ]
        )
    }

    private func append(
        _ database: Database,
        _ id: MigrationID,
        _ side: Side,
        _ record: some Encodable,
        _ context: some Encodable,
        isSettled: Bool
    ) throws {
        let sequence = try Int.fetchOne(
            database,
            sql: "SELECT coalesce(max(sequence), 0) + 1 FROM journal WHERE id = ? AND side = ?",
            arguments: [id.text, side.rawValue]
        )
        try database.execute(
            sql: """
                INSERT INTO journal (id, side, sequence, record, context, isSettled)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                id.text, side.rawValue, sequence, try encoded(record), try encoded(context),
                isSettled,
            ]
        )
    }

    private func latest(
        _ database: Database,
        _ side: Side,
        _ id: MigrationID? = nil
    ) throws -> [Row] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT * FROM journal WHERE number IN (
                    SELECT max(number) FROM journal
                    WHERE side = :side AND (:id IS NULL OR id = :id) GROUP BY id
                ) ORDER BY number
                """,
            arguments: ["side": side.rawValue, "id": id?.text]
        )
    }

    private func entry<Record: Decodable, Context: Decodable>(
        _ row: Row
    ) throws -> JournalEntry<Record, Context> {
        JournalEntry(
            migration: try MigrationID(row["id"]),
            record: try decoded(Record.self, row["record"]),
            context: try decoded(Context.self, row["context"])
        )
    }

    private func entry(
        _ row: Row,
        reserved: Set<String>
    ) throws -> JournalEntry<TargetRecord, TargetContext>? {
        let entry: JournalEntry<TargetRecord, TargetContext> = try entry(row)
        let isUnderWay =
            switch entry.record {
            case .prepared, .taken, .running, .lost, .declined: true
            case .finished, .cleaned, .closed: false
            }
        return isUnderWay || reserved.contains(entry.migration.text) ? entry : nil
    }

    private func prune(_ database: Database, keeping count: Int) throws {
        try database.execute(
            sql: """
                DELETE FROM journal WHERE (id, side) IN (
                    SELECT id, side FROM journal WHERE isSettled = 1
                    AND id NOT IN (SELECT lock FROM instances WHERE lock IS NOT NULL)
                    ORDER BY number DESC LIMIT -1 OFFSET :count)
                """,
            arguments: ["count": count]
        )
        try database.execute(
            sql: """
                DELETE FROM migrations WHERE rowid IN (
                    SELECT rowid FROM migrations AS old WHERE NOT EXISTS (
                        SELECT 1 FROM journal WHERE id = old.id AND side = old.side
                        AND number = (SELECT max(number) FROM journal
                                      WHERE id = old.id AND side = old.side)
                        AND isSettled = 0)
                    ORDER BY started DESC, rowid DESC LIMIT -1 OFFSET :count)
                """,
            arguments: ["count": count]
        )
    }
}
