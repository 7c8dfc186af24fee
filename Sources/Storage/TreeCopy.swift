import LinuxHost
import MigrationCore

/// Copies of trees that nobody changes meanwhile.
enum TreeCopy {
    /// What is left free beside a copy.
    static let margin = ByteCount.mebibytes(16)

    /// Makes a whole copy, or throws.
    ///
    /// - Parameter path: what the tree is called then; nothing, or an empty directory, is there.
    /// - Throws: `noSpace` before anything is copied if it would not fit.
    static func make(of tree: String, at path: String) async throws {
        let isThere = try FileStatus.of(path) != nil
        try await requireRoom(for: tree, at: isThere ? path : Directories.parent(of: path))
        try await copy(tree, to: path)
    }

    /// - Parameter path: what the tree is called then; nothing, or an empty directory, is there.
    static func copy(_ tree: String, to path: String) async throws {
        let isThere = try FileStatus.of(path) != nil
        let place = isThere ? path : Directories.parent(of: path)
        guard try FilesystemFacts.of(place).type == "fuse" else {
            let result = try await Cp.tree(tree, to: path).run()
            if let failure = Cp.failure(result.status, said: result.errorText) { throw failure }
            return
        }
        // cp says permissions as an access list. One in user space may keep that as an attribute
        // like others, which leaves files with the permissions that cp gave them at first.
        try Directories.make(path, mode: 0o700)
        let result = try await Rsync.copy(tree, into: path).run()
        let failure = Rsync.failure(result.status, said: result.errorText, tolerant: false)
        if let failure { throw failure }
    }

    static func requireRoom(for tree: String, at place: String) async throws {
        let needed = try await TreeUse.bytes(below: tree) + margin
        let available = try FilesystemFacts.of(place).available
        guard available < needed else { return }
        throw GodwitError(
            .noSpace,
            "a copy of the volume needs \(needed.bytes >> 20) MiB, and "
                + "\(available.bytes >> 20) MiB are free",
            remedy: "free space in the pool, or delete snapshots that are not wanted any more")
    }

    /// Brings a copy up to date.
    ///
    /// - Parameters:
    ///   - moment: before the last pass began; nil for the first.
    ///   - isStill: nothing writes to the tree meanwhile.
    static func update(
        _ copy: String, to tree: String, since moment: FileTime?, mapped: Set<String>,
        isStill: Bool
    ) async throws {
        if let moment {
            if mapped.isEmpty, try await !TreeChanges.areThereAny(below: tree, since: moment) {
                return
            }
            let suspects = try await TreeChanges.suspects(
                below: tree, changedSince: moment, mapped: mapped)
            try await TreeChanges.distrust(suspects, below: copy)
        }
        let result = try await Rsync.update(copy, to: tree).run()
        let failure = Rsync.failure(result.status, said: result.errorText, tolerant: !isStill)
        if let failure { throw failure }
    }
}
