import LinuxHost
package import MigrationCore

/// Kept copies are places like others, mounted nowhere.
extension LVMPool: VolumeKeeping {
    package func keepVolume(_ volume: String, as copy: String) async throws {
        let place = layout.place(of: volume)
        _ = try layout.usablePath(of: volume)
        if layout.has(volume) {
            for name in try Directories.names(in: layout.shelf(of: volume)) {
                try await unmount("\(layout.shelf(of: volume))/\(name)")
            }
            try await unmount(place)
        }
        try layout.keep(volume, as: copy)
        passes.forget(volume)
    }

    /// It becomes as large as the pool if that has grown meanwhile.
    package func takeKept(_ copy: String, as volume: String) async throws -> String {
        let path = try layout.take(kept: copy, as: volume)
        try await mountAll(of: volume)
        try await grow(layout.place(of: volume))
        return path
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

    func removeKeptLeftovers() async throws {
        for place in try layout.keptLeftovers() { try await remove(place: place) }
    }
}
