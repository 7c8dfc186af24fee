import LinuxHost
package import MigrationCore

/// Kept copies are trees like others, with their snapshots; rsync finds what differs.
extension DirectoryPool: VolumeKeeping {
    package func keepVolume(_ volume: String, as copy: String) async throws {
        try layout.keep(volume, as: copy)
        forget(volume)
    }

    package func takeKept(_ copy: String, as volume: String) async throws -> String {
        try layout.take(kept: copy, as: volume)
    }

    package func removeKept(_ copy: String) async throws {
        _ = try layout.doom(kept: copy)
        try await removeKeptLeftovers()
    }

    package func keptCopies() async throws -> Set<String> {
        try await removeKeptLeftovers()
        return try layout.keptCopies()
    }

    package func begin(_ volume: String, upon start: VolumeStart) async {
        passes.begin(volume, since: layout.moment(of: start, for: volume))
    }

    package func noteArrival(of volume: String, digest: String) async throws {
        try layout.noteArrival(of: volume, digest: digest)
    }

    private func removeKeptLeftovers() async throws {
        for path in try layout.keptLeftovers() { try await Rm.tree(path).check() }
    }
}
