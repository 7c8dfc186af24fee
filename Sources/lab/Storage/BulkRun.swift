import Foundation
import MigrationCore
import TestSupport

/// An instance with very many files, or with a very large one, that moves once.
struct BulkRun {
    let kind: PoolKind
    let files: StorageFiles

    func run() async throws -> StorageRow {
        try await MeasuredPool.with(kind) { pool in
            let root = "\(pool.scratch)/root"
            try await files.make(below: root)
            return try await pool.withHosts { lab in
                try await pool.make(mebibytes: Int(files.bytes >> 19) + 2_048, in: lab)
                try await pool.launch("bulk", upon: root, in: lab)
                // The disk need not hold it three times.
                try FileManager.default.removeItem(atPath: root)
                return try await pool.move(
                    "bulk", from: "a", to: "b", files.title, changed: files.bytes, in: lab)
            }
        }
    }
}
