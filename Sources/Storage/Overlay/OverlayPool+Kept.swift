import LinuxHost
package import MigrationCore

/// Kept copies are stacks like others, mounted nowhere. The layers below them stay as long as they
/// do.
extension OverlayPool: VolumeKeeping {
    package func keepVolume(_ volume: String, as copy: String) async throws {
        _ = try layout.usablePath(of: volume)
        try await MountedFilesystem.detachAll(below: layout.place(of: volume))
        try holdingLayers(of: layout.place(of: volume)) { try layout.keep(volume, as: copy) }
        forget(volume)
    }

    package func takeKept(_ copy: String, as volume: String) async throws -> String {
        let place = try layout.place(ofKept: copy)
        let path = try holdingLayers(of: place) { try layout.take(kept: copy, as: volume) }
        try await mountAll(of: volume)
        return path
    }

    package func removeKept(_ copy: String) async throws {
        _ = try layout.doom(kept: copy)
        try await removeKeptLeftovers()
        try await sweep()
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
        for path in try layout.keptLeftovers() { try await Rm.tree(path).check() }
    }

    /// A place that moves meanwhile may be seen in neither of the two by who looks what is needed.
    private func holdingLayers<Value>(
        of place: String, _ body: () throws -> Value
    ) throws -> Value {
        let layers = try stacks(in: place).flatMap { try $0.layers }
        _ = try shelf.hold(layers)
        defer { shelf.release(layers) }
        return try body()
    }
}
