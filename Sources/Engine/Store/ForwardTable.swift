import Foundation
import GRDB
package import MigrationCore

/// A cable that this host has laid to one that an instance has left for.
package struct ForwardRecord: Codable, Equatable, Sendable {
    /// The migration's.
    package var id: MigrationID
    /// As it was here.
    package var definition: InstanceDefinition
    package var other: String
    /// Nil while the migration has not come to its end.
    package var until: Timestamp?

    package init(
        id: MigrationID, definition: InstanceDefinition, other: String, until: Timestamp?
    ) {
        self.id = id
        self.definition = definition
        self.other = other
        self.until = until
    }
}

extension StateStore {
    package func forwards() throws -> [ForwardRecord] {
        try read { database in
            try Data.fetchAll(database, sql: "SELECT record FROM forwards ORDER BY id")
                .map { try decoded(ForwardRecord.self, $0) }
        }
    }

    /// Writes it, in place of an earlier one of the same migration.
    package func save(_ forward: ForwardRecord) throws {
        try write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO forwards VALUES (?, ?)",
                arguments: [forward.id.text, try encoded(forward)])
        }
    }

    package func removeForward(_ id: MigrationID) throws {
        try write {
            try $0.execute(sql: "DELETE FROM forwards WHERE id = ?", arguments: [id.text])
        }
    }
}
