import Foundation
import GRDB
import MigrationCore

/// What a host must not forget: instances, peers, tokens, migrations and their journals, in one
/// SQLite file.
///
/// Every method is one transaction that is durable when it returns (write-ahead log, synchronous
/// FULL; about 0.15 ms). The methods are synchronous on purpose: a commit cannot be cancelled half
/// way, and an actor that calls one stays closed to others meanwhile.
package struct StateStore: Sendable {
    /// The file that everything is in.
    package let path: String
    let database: DatabaseQueue

    /// Opens the file `godwit.db` below the directory, and makes either if it is missing.
    ///
    /// - Throws: `stateUnreadable`, naming the file, if it is not ours or of a newer version.
    package init(directory: String) throws {
        path = directory + "/godwit.db"
        do {
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
            database = try Self.open(path)
        } catch let error as GodwitError {
            throw error
        } catch {
            throw GodwitError(
                .stateUnreadable,
                "the state file \(path) cannot be read",
                remedy: "restore it from a backup, or move it away to start with an empty host",
                cause: "\(error)"
            )
        }
    }

    private static func open(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA journal_mode = WAL") }
        let database = try DatabaseQueue(path: path, configuration: configuration)
        let migrator = Schema.migrator
        guard try !database.read(migrator.hasBeenSuperseded) else {
            throw GodwitError(
                .stateUnreadable,
                "the state file \(path) was written by a newer version of godwit",
                remedy: "run that version, or move the file away to start with an empty host"
            )
        }
        try migrator.migrate(database)
        // GRDB sets `synchronous` to NORMAL after `prepareDatabase`.
        try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        return database
    }

    /// SQLite's own words for the journal mode and for `synchronous` (2 is FULL).
    package func durability() throws -> (journal: String?, synchronous: Int?) {
        try read { database in
            (
                try String.fetchOne(database, sql: "PRAGMA journal_mode"),
                try Int.fetchOne(database, sql: "PRAGMA synchronous")
            )
        }
    }

    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try wrapped { try database.read(body) }
    }

    func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try wrapped { try database.write(body) }
    }

    private func wrapped<Value>(_ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let error as GodwitError { throw error } catch {
            throw GodwitError(
                .stateUnreadable,
                "the state file \(path) cannot be read or written",
                remedy: "look at the disk that holds it",
                cause: "\(error)"
            )
        }
    }
}

func encoded(_ value: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return try encoder.encode(value)
}

func decoded<Value: Decodable>(_ type: Value.Type, _ data: Data) throws -> Value {
    try JSONDecoder().decode(type, from: data)
}
