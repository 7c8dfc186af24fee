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

    /// Copies twice: the second pass takes what has changed during the first, so that less is left
    /// for when nothing writes to the tree any more.
    ///
    /// - Parameter note: takes what is known of the copy after each.
    static func ahead(
        _ copy: String, of tree: String, note: (CopyState) -> Void
    ) async throws {
        let first = try await update(copy, to: tree, from: nil, mapped: [], isStill: false)
        note(first)
        note(try await update(copy, to: tree, from: first, mapped: [], isStill: false))
    }

    /// Brings a copy up to date.
    ///
    /// - Parameters:
    ///   - state: what is known of it; nil for the first pass.
    ///   - isStill: nothing writes to the tree meanwhile.
    /// - Returns: what is known of it now.
    @discardableResult
    static func update(
        _ copy: String, to tree: String, from state: CopyState?, mapped: Set<String>,
        isStill: Bool
    ) async throws -> CopyState {
        let start = PassStart()
        let changes = try await TreeChanges.find(
            below: tree, since: state?.start.since ?? start.moment, mapped: mapped,
            known: state?.directories)
        var list: [UInt8]?
        if let state {
            if state.isWhole && state.start.holds() && FilesystemFacts.stampsChanges(at: tree) {
                if changes.places?.isEmpty == true { return state }
                list = changes.places.map(Rsync.list)
            }
            try await TreeChanges.distrust(changes.suspects, below: copy)
        }
        let result = try await Rsync.update(copy, to: tree, isListed: list != nil)
            .run(input: list ?? [])
        let failure = Rsync.failure(result.status, said: result.errorText, tolerant: !isStill)
        if let failure { throw failure }
        let isPartial = Rsync.isPartial(result.status)
        guard isPartial, let state else {
            return CopyState(
                start: start, isWhole: !isPartial, directories: changes.directories)
        }
        return CopyState(
            start: state.start, isWhole: state.isWhole,
            directories: state.directories.intersection(changes.directories))
    }
}

/// What a copy has of its tree.
struct CopyState: Equatable, Sendable {
    /// Before the last pass began that left nothing out, or the first.
    let start: PassStart
    /// The copy lacks nothing but what has changed since.
    let isWhole: Bool
    let directories: KnownDirectories
}
