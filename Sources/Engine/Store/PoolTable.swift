import Foundation
import GRDB
package import MigrationCore

/// A pool that an operator has had made.
package struct PoolRecord: Codable, Equatable, Sendable {
    package var definition: PoolDefinition
    /// False from before it is made until it is, and from before it is removed.
    package var isWhole: Bool

    package init(definition: PoolDefinition, isWhole: Bool) {
        self.definition = definition
        self.isWhole = isWhole
    }
}

extension StateStore {
    /// By name.
    package func pools() throws -> [PoolRecord] {
        try read { database in
            try Data.fetchAll(database, sql: "SELECT record FROM pools ORDER BY name")
                .map { try decoded(PoolRecord.self, $0) }
        }
    }

    /// Writes it, in place of an earlier one of the name.
    ///
    /// - Throws: `limitExceeded`.
    package func save(_ pool: PoolRecord) throws {
        try write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO pools VALUES (?, ?)",
                arguments: [pool.definition.name, try encoded(pool)])
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM pools") ?? 0
            guard count <= Limit.pools else {
                throw GodwitError(
                    .limitExceeded, "this host has \(count - 1) pools already",
                    remedy: "delete one")
            }
        }
    }

    package func removePool(_ name: String) throws {
        try write { try $0.execute(sql: "DELETE FROM pools WHERE name = ?", arguments: [name]) }
    }
}
