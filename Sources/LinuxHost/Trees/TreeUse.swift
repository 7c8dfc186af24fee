package import MigrationCore

/// The space that a tree takes.
package enum TreeUse {
    /// Bytes allocated to the tree's files, hard links counted once.
    package static func bytes(below root: String) async throws -> ByteCount {
        try await blocking {
            var seen: Set<FileKey> = []
            var blocks: UInt64 = 0
            try TreeWalker.walk(root) { entry in
                let status = entry.status
                if status.links > 1 && status.kind != .directory
                    && !seen.insert(status.key).inserted
                {
                    return
                }
                blocks &+= UInt64(max(0, status.blocks))
            }
            return ByteCount(bytes: blocks &* 512)
        }
    }
}
