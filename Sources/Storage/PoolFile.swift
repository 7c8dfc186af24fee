import LinuxHost
import MigrationCore

/// A file below the daemon's state that is what a pool stands on.
///
/// What has the final name holds all that the pool needs.
struct PoolFile: Sendable {
    let path: String
    let pool: String
    /// What it is called while it is being made.
    var unfinished: String { "\(path).new" }
    private var parent: String { Directories.parent(of: path) }

    /// Nil if there is none.
    func size() throws -> ByteCount? {
        try FileStatus.of(path).map { ByteCount(bytes: UInt64($0.size)) }
    }

    /// How large it becomes.
    ///
    /// - Parameter size: as it is wanted; nil for a fifth of what is free.
    /// - Throws: `limitExceeded`, `noSpace`.
    private func newSize(_ size: ByteCount?) throws -> ByteCount {
        try Directories.make(parent, mode: 0o711)
        let free = try FilesystemFacts.of(parent).available
        let fifth = ByteCount.mebibytes((free.bytes / 5) >> 20)
        let size = size ?? min(max(fifth, Limit.smallestPool), Limit.defaultPool)
        try check(size, more: size)
        return size
    }

    /// - Parameter known: how large it is said to be.
    /// - Throws: `badRequest` if it is larger already, `limitExceeded`, `noSpace`.
    func requireGrowth(to size: ByteCount, from known: ByteCount?) throws {
        // As large already: an earlier call may have ended in between. It may be one of several.
        let now = max(try self.size() ?? .zero, known ?? .zero)
        guard size >= now else {
            throw GodwitError(
                .badRequest, "the pool \(pool) is larger already",
                remedy: "give a size above \(shown(now))")
        }
        try check(size, more: ByteCount(bytes: size.bytes - now.bytes))
    }

    /// Makes the file, of the size that is given or else usual, unless it is there.
    ///
    /// - Parameter fill: makes all that the pool needs in it, also where an earlier try has begun.
    func make(
        _ size: ByteCount?, fill: (String) async throws -> Void
    ) async throws -> ByteCount {
        if let size = try self.size() { return size }
        let size = try newSize(size)
        try SparseFile.setSize(size, of: unfinished)
        try await fill(unfinished)
        try Directories.rename(unfinished, to: path)
        return size
    }

    /// With what was begun of it.
    func remove() throws {
        for path in [path, unfinished] where SmallFile.exists(path) { try SmallFile.remove(path) }
    }

    private func check(_ size: ByteCount, more: ByteCount) throws {
        guard (Limit.smallestPool...Limit.largestPool).contains(size) else {
            throw GodwitError(
                .limitExceeded,
                "a pool of \(shown(size)) is not from \(shown(Limit.smallestPool)) to "
                    + shown(Limit.largestPool),
                remedy: "give another size")
        }
        let free = try FilesystemFacts.of(parent).available
        guard more <= free else {
            throw GodwitError(
                .noSpace, "\(shown(free)) are free for the pool \(pool), not \(shown(more))",
                remedy: "give a smaller size, or free space below \(parent)")
        }
    }

    private func shown(_ size: ByteCount) -> String { "\(size.bytes >> 20) MiB" }
}

extension GodwitError {
    static func unsizable(_ pool: String) -> GodwitError {
        GodwitError(
            .badRequest, "the pool \(pool) has no size of its own",
            remedy: "leave the size out: it takes what it stands on has")
    }
}
