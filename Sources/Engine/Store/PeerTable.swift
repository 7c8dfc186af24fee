import Foundation
import GRDB
package import MigrationCore

extension StateStore {
    package func peers() throws -> [PeerRecord] {
        try read { database in
            try Data.fetchAll(database, sql: "SELECT record FROM peers ORDER BY name")
                .map { try decoded(PeerRecord.self, $0) }
        }
    }

    package func peer(named name: RemoteName) throws -> PeerRecord? {
        try peer(where: "name", name.text)
    }

    package func peer(withFingerprint fingerprint: String) throws -> PeerRecord? {
        try peer(where: "fingerprint", fingerprint)
    }

    /// - Throws: `nameTaken` if the name, or the host under another name, is known already.
    package func insert(_ peer: PeerRecord) throws {
        try write { try insert($0, peer) }
    }

    package func removePeer(_ name: RemoteName) throws {
        try write {
            try $0.execute(sql: "DELETE FROM peers WHERE name = ?", arguments: [name.text])
        }
    }

    /// Remembers that a token was made, by the hash of its secret.
    ///
    /// - Throws: `limitExceeded` if too many are open.
    func insertToken(hash: String, for name: RemoteName, expires: Timestamp, now: Timestamp) throws
    {
        try write { database in
            try database.execute(
                sql: "DELETE FROM tokens WHERE expires <= ?",
                arguments: [now.milliseconds]
            )
            let open = try Int.fetchOne(database, sql: "SELECT count(*) FROM tokens") ?? 0
            guard open < Limit.tokensOpen else {
                throw GodwitError(
                    .limitExceeded,
                    "\(open) tokens were made within their time, the most that there may be",
                    remedy: "wait until some have expired"
                )
            }
            try database.execute(
                sql: "INSERT INTO tokens VALUES (?, ?, ?, 0)",
                arguments: [hash, name.text, expires.milliseconds]
            )
        }
    }

    /// Spends the token and stores the peer that `peer` makes of the token's name, or does neither.
    ///
    /// - Throws: `tokenRejected` if the token is unknown, used or expired.
    func spendToken(
        hash: String,
        now: Timestamp,
        _ peer: (RemoteName) throws -> PeerRecord
    ) throws -> PeerRecord {
        try write { database in
            let row = try Row.fetchOne(
                database,
                sql: "SELECT * FROM tokens WHERE hash = ?",
                arguments: [hash]
            )
            guard let row, row["isUsed"] == false else {
                throw GodwitError.rejectedToken("it is unknown or was used before")
            }
            guard row["expires"] > now.milliseconds else {
                throw GodwitError.rejectedToken("it has expired")
            }
            try database.execute(
                sql: "UPDATE tokens SET isUsed = 1 WHERE hash = ?",
                arguments: [hash]
            )
            let record = try peer(RemoteName(row["name"]))
            try insert(database, record)
            return record
        }
    }

    private func insert(_ database: Database, _ peer: PeerRecord) throws {
        let known = try Row.fetchOne(
            database,
            sql: "SELECT name FROM peers WHERE name = ? OR fingerprint = ?",
            arguments: [peer.name.text, peer.fingerprint]
        )
        if let known {
            let name: String = known["name"]
            throw GodwitError(
                .nameTaken,
                name == peer.name.text
                    ? "another host is known as \(name) already"
                    : "this host is known as \(name) already",
                remedy: "choose another name, or remove that one first"
            )
        }
        try database.execute(
            sql: "INSERT INTO peers VALUES (?, ?, ?)",
            arguments: [peer.name.text, peer.fingerprint, try encoded(peer)]
        )
    }

    private func peer(where column: String, _ value: String) throws -> PeerRecord? {
        try read { database in
            try Data.fetchOne(
                database,
                sql: "SELECT record FROM peers WHERE \(column) = ?",
                arguments: [value]
            )
            .map { try decoded(PeerRecord.self, $0) }
        }
    }
}

extension GodwitError {
    static func rejectedToken(_ reason: String) -> GodwitError {
        GodwitError(
            .tokenRejected,
            "the token is not accepted: \(reason)",
            remedy: "make a new one on the other host with `godwit trust add`"
        )
    }
}
