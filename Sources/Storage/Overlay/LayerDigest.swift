import Crypto
import LinuxHost
import MigrationCore

/// What names a layer: the SHA-256 of all that its tree is, which any host can compute again.
///
///     layer1 | of each path: count: u64 | record | digest of the content if it has one of its own
///
/// Unlike a tree's digest it withstands forgery: what one host sends is shared by instances that
/// others have sent.
enum LayerDigest {
    /// Reads everything; nothing changes the tree meanwhile.
    static func of(_ root: String) async throws -> BlobDigest {
        try await blocking {
            let files = try RootedFiles(root)
            var sum = SHA256()
            sum.update(data: Array("layer1".utf8))
            try TreeRecords.walk(root) { record, content in
                let count = UInt64(record.count)
                sum.update(data: (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) })
                sum.update(data: record)
                guard let content else { return }
                var inner = SHA256()
                try files.read(content) { inner.update(data: $0) }
                sum.update(data: Array(inner.finalize()))
            }
            return BlobDigest(sum.finalize())
        }
    }
}
