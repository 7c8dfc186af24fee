import LinuxHost
import MigrationCore

/// Places of copies that are kept, and what is remembered of arrivals.
extension VolumeLayout {
    var kept: String { "\(root)/kept" }

    func place(ofKept copy: String) throws -> String {
        try Self.require(copy, toName: "a kept copy")
        return "\(kept)/\(copy)"
    }

    /// Takes a volume with all that is beside it out of the volumes. Done already is no error.
    ///
    /// Returns when that outlives a loss of power: else the volume would be there again, and no
    /// instance would be its owner.
    func keep(_ volume: String, as copy: String) throws {
        _ = try usablePath(of: volume)
        let place = try place(ofKept: copy)
        if !has(volume), try FileStatus.of("\(place)/rootfs") != nil { return }
        try Directories.make(kept, mode: 0o700)
        try Directories.rename(self.place(of: volume), to: place)
        for directory in [kept, volumes] { try Directories.synchronize(directory) }
    }

    /// - Returns: the volume's path.
    /// - Throws: `notFound` if there is neither copy nor volume.
    func take(kept copy: String, as volume: String) throws -> String {
        let path = try usablePath(of: volume)
        let place = try place(ofKept: copy)
        if !has(volume) {
            try Directories.make(volumes, mode: 0o711)
            try Directories.rename(place, to: self.place(of: volume))
        }
        // It tells of an earlier arrival.
        try SmallFile.remove(note(of: volume))
        return path
    }

    /// Takes a copy away at once for everyone who looks.
    ///
    /// - Returns: where it is now, to be removed; nil if there is none.
    func doom(kept copy: String) throws -> String? {
        let doomed = "\(kept)/\(Self.doomedPrefix)\(copy)"
        do { try Directories.rename(place(ofKept: copy), to: doomed) } catch {
            guard let error = error as? GodwitError, error.code == .notFound else { throw error }
            return nil
        }
        return doomed
    }

    func keptCopies() throws -> Set<String> {
        Set(try Directories.names(in: kept).filter(Self.isUsable))
    }

    func keptPlaces() throws -> [String] { try keptCopies().map { "\(kept)/\($0)" } }

    /// Copies whose removal has not ended.
    func keptLeftovers() throws -> [String] {
        try Directories.names(in: kept).filter { $0.hasPrefix(Self.doomedPrefix) }
            .map { "\(kept)/\($0)" }
    }
}

extension VolumeLayout {
    private func note(of volume: String) -> String { "\(place(of: volume))/arrival" }

    /// Remembers the volume's digest, before anything changes it: what changes afterwards has a
    /// later time than the note. It may be lost, which only costs time.
    func noteArrival(of volume: String, digest: String) throws {
        _ = try usablePath(of: volume)
        try SmallFile.replace(note(of: volume), with: Array(digest.utf8))
    }

    /// What the other half's files prove: those that have not changed here since then are the same
    /// there, if their sizes and times are. Nil if the other half is empty.
    func moment(of start: VolumeStart, for volume: String) -> FileTime? {
        switch start {
        case .empty: return nil
        case .unknown: return TreePasses.beforeAll
        case .tree(let digest):
            let note = note(of: volume)
            guard SmallFile.word(note) == digest, let status = try? FileStatus.of(note) else {
                return TreePasses.beforeAll
            }
            return status.modified
        }
    }
}
