import Foundation
import GRDB
package import MigrationCore

/// An image whose blobs the host keeps.
package struct ImageRecord: Codable, Equatable, Sendable {
    package var image: StoredImage
    /// Sorted; no other image has any of them.
    package var aliases: [ImageName]
    package var imported: Timestamp

    package init(image: StoredImage, aliases: [ImageName], imported: Timestamp) {
        self.image = image
        self.aliases = aliases
        self.imported = imported
    }
}

extension StateStore {
    /// By digest.
    package func images() throws -> [ImageRecord] { try read { try all($0) } }

    /// Remembers the image, or only a further alias of one that is known.
    ///
    /// - Throws: `nameTaken` if the alias is another image's, `limitExceeded`.
    package func add(
        _ image: StoredImage, alias: ImageName?, at moment: Timestamp
    ) throws -> ImageRecord {
        try write { database in
            let known = try all(database)
            if let alias { try refuse(alias, of: image, where: known) }
            let own = known.first { $0.image.digest == image.digest }
            guard own != nil || known.count < Limit.images else {
                throw GodwitError(
                    .limitExceeded, "this host has \(known.count) images already",
                    remedy: "delete one")
            }
            var record = own ?? ImageRecord(image: image, aliases: [], imported: moment)
            record.aliases = Set(record.aliases).union(alias.map { [$0] } ?? []).sorted()
            guard record.aliases.count <= Limit.aliasesPerImage else {
                throw GodwitError(
                    .limitExceeded,
                    "the image \(image.digest.short) has \(Limit.aliasesPerImage) aliases already",
                    remedy: "use one of them")
            }
            try database.execute(
                sql: "INSERT OR REPLACE INTO images VALUES (?, ?)",
                arguments: [image.digest.hexadecimal, try encoded(record)])
            return record
        }
    }

    package func removeImage(_ digest: BlobDigest) throws {
        try write {
            try $0.execute(
                sql: "DELETE FROM images WHERE digest = ?", arguments: [digest.hexadecimal])
        }
    }

    private func all(_ database: Database) throws -> [ImageRecord] {
        try Data.fetchAll(database, sql: "SELECT record FROM images ORDER BY digest")
            .map { try decoded(ImageRecord.self, $0) }
    }

    private func refuse(
        _ alias: ImageName, of image: StoredImage, where known: [ImageRecord]
    ) throws {
        let other = known.first { $0.aliases.contains(alias) }
        guard let other, other.image.digest != image.digest else { return }
        throw GodwitError(
            .nameTaken, "another image is called \(alias) already: \(other.image.digest.short)",
            remedy: "choose another name, or delete that image first")
    }
}
