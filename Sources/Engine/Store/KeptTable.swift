import Foundation
import GRDB
package import MigrationCore

/// A kept copy as the host remembers it.
package struct KeptRecord: Codable, Equatable, Sendable {
    package var copy: KeptCopy
    /// Of the volume's tree, as it was kept.
    package var digest: String
    /// Of stateful snapshots, by name.
    package var states: [String: SavedState]
    /// False from before it is kept until it is, and from before it is removed.
    package var isWhole: Bool
    /// The move whose volume it has become here, and will stay if that succeeds.
    package var user: MigrationID?

    package init(
        copy: KeptCopy, digest: String = "", states: [String: SavedState] = [:], isWhole: Bool,
        user: MigrationID? = nil
    ) {
        self.copy = copy
        self.states = states
        self.digest = digest
        self.isWhole = isWhole
        self.user = user
    }

    var id: MigrationID { copy.id }
    /// Nothing is being done with it.
    var isAtRest: Bool { isWhole && user == nil }
    fileprivate var isBase: Bool { copy.kind == .base }
}

extension StateStore {
    /// Oldest first.
    package func kept(in pool: String? = nil) throws -> [KeptRecord] {
        try read { try fetchKept($0) }.filter { pool == nil || $0.copy.pool == pool }
    }

    package func kept(_ id: MigrationID) throws -> KeptRecord? {
        try read { try fetchKept($0) }.first { $0.id == id }
    }

    /// The copy that the migration has taken.
    func kept(usedBy user: MigrationID) throws -> KeptRecord? {
        try read { try fetchKept($0) }.first { $0.user == user }
    }

    package func save(_ record: KeptRecord) throws { try write { try put($0, record) } }

    package func removeKept(_ id: MigrationID) throws { try write { try remove($0, id) } }

    /// Gives the newest copy of the instance's volume to a migration. Nobody else removes it then.
    ///
    /// - Returns: nil if there is none.
    func claimKept(
        _ instance: InstanceUUID, in pool: String, by user: MigrationID
    ) throws -> KeptRecord? {
        try write { database in
            let found = try fetchKept(database).last {
                $0.copy.instance == instance && $0.copy.pool == pool && $0.isAtRest && !$0.isBase
            }
            guard var found else { return nil }
            found.user = user
            try put(database, found)
            return found
        }
    }

    /// Before a copy is removed: nobody takes it from here on.
    ///
    /// - Returns: false if a migration has it.
    func doomKept(_ id: MigrationID) throws -> Bool {
        try write { database in
            guard var record = try fetchKept(database).first(where: { $0.id == id }) else {
                return true
            }
            guard record.user == nil else { return false }
            record.isWhole = false
            try put(database, record)
            return true
        }
    }

    /// Puts the copy in the place of the instance, with its snapshots' records and its base, if it
    /// is there and has the lock that is expected.
    func replace(_ name: InstanceName, lockedBy lock: MigrationID, with copy: KeptRecord) throws {
        try write { database in
            guard let record = try fetch(database, name), record.lock == lock else { return }
            try removeSnapshots(database, of: name)
            try delete(database, name)
            try removeBases(database, of: copy.copy.instance, in: copy.copy.pool)
            var copy = copy
            copy.isWhole = true
            try put(database, copy)
        }
    }

    /// Changes the record of an instance that has arrived, and forgets the copy that it was made
    /// of.
    ///
    /// - Parameter base: what is kept for the move back.
    /// - Returns: whether it has the lock that is expected.
    func adopt(
        _ name: InstanceName, lockedBy lock: MigrationID, base: KeptRecord?,
        _ body: (inout InstanceRecord) -> Void
    ) throws -> Bool {
        try write { database in
            guard var record = try fetch(database, name), record.lock == lock else { return false }
            body(&record)
            try put(database, record)
            for used in try fetchKept(database) where used.user == lock {
                try remove(database, used.id)
            }
            if let base {
                try removeBases(database, of: base.copy.instance, in: base.copy.pool)
                try put(database, base)
            }
            return true
        }
    }

    func removeBases(of instance: InstanceUUID, in pool: String) throws {
        try write { try removeBases($0, of: instance, in: pool) }
    }

    private func removeBases(
        _ database: Database, of instance: InstanceUUID, in pool: String
    ) throws {
        for base in try fetchKept(database)
        where base.isBase && base.copy.instance == instance && base.copy.pool == pool {
            try remove(database, base.id)
        }
    }

    private func fetchKept(_ database: Database) throws -> [KeptRecord] {
        try Data.fetchAll(database, sql: "SELECT record FROM kept")
            .map { try decoded(KeptRecord.self, $0) }
            .sorted { ($0.copy.kept, $0.id.text) < ($1.copy.kept, $1.id.text) }
    }

    private func put(_ database: Database, _ record: KeptRecord) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO kept VALUES (?, ?)",
            arguments: [record.id.text, try encoded(record)])
    }

    private func remove(_ database: Database, _ id: MigrationID) throws {
        try database.execute(sql: "DELETE FROM kept WHERE id = ?", arguments: [id.text])
    }
}
