import LinuxHost
package import MigrationCore
import Synchronization

/// Volumes as changes over layers that they share, laid over one another by overlayfs.
///
///     ROOT 0711 / volumes 0711 / NAME 0711 / rootfs             where the volume is mounted
///                                          / changes 0700       its stack
///                                          / snapshots 0700 / SNAPSHOT 0700: a stack, and
///                                                             rootfs, mounted to be read only
///               / layers 0700
///
/// The same as a volume's place in `kept`, for each copy that is kept.
///
/// All mounts are in the mount namespace of the daemon. They outlive it; whoever opens the pool
/// makes those that are missing.
package final class OverlayPool: PoolDriver {
    package let driver = "overlay"
    package let methods: [VolumeMethod] = [.overlay, .rsync]
    let layout: VolumeLayout
    let shelf: LayerShelf
    let passes = TreePasses()
    let memories = Mutex<[String: VolumeMemory]>([:])

    /// - Parameter path: absolute, of a directory that `OverlayMaker` has made a pool of.
    init(name: String, path: String) {
        layout = VolumeLayout(pool: name, root: path)
        shelf = LayerShelf(directory: "\(path)/layers")
    }

    func changes(of volume: String) -> LayerStack {
        LayerStack(directory: "\(layout.place(of: volume))/changes")
    }

    /// - Throws: `nameTaken` if there is such a volume and it is not empty.
    package func createVolume(_ name: String) async throws -> String {
        let path = try layout.usablePath(of: name)
        try await removeLeftovers()
        if try FileStatus.of(path) == nil {
            try layout.makePlace(of: name)
            try changes(of: name).make(over: [])
            try Directories.make(path, mode: 0o711)
        }
        try await mount(name)
        guard try Directories.names(in: path).isEmpty else { throw layout.taken(name) }
        return path
    }

    /// - Precondition: a name that could be one of a volume here.
    package func path(of volume: String) -> String { layout.path(of: volume) }
    package func hasVolume(_ name: String) async -> Bool { layout.has(name) }

    /// - Throws: `nameTaken`, `notFound`; done already is no error.
    package func renameVolume(_ name: String, to newName: String) async throws {
        _ = try (layout.usablePath(of: name), layout.usablePath(of: newName))
        if layout.has(name) {
            guard !layout.has(newName) else { throw layout.taken(newName) }
            try await MountedFilesystem.detachAll(below: layout.place(of: name))
        }
        do { try layout.rename(name, to: newName) } catch {
            try? await mountAll(of: name)
            throw error
        }
        passes.rename(name, to: newName)
        memories.withLock { $0[newName] = $0.removeValue(forKey: name) }
        try await mountAll(of: newName)
    }

    /// Deletes the volume and its snapshots at once for everyone who looks, and layers that nothing
    /// needs any more. No volume is no error.
    package func deleteVolume(_ name: String) async throws {
        _ = try layout.usablePath(of: name)
        forget(name)
        try await removeLeftovers()
        try await MountedFilesystem.detachAll(below: layout.place(of: name))
        if let doomed = try layout.doom(name) { try await Rm.tree(doomed).check() }
        try await sweep()
    }

    /// With the layers, which another host may lack.
    package func used(by volume: String) async throws -> ByteCount {
        // Nothing is mounted as long as a first pass arrives.
        let isMounted = try MountedFilesystem.at(layout.usablePath(of: volume)) != nil
        return try await TreeUse.bytes(
            below: isMounted ? tree(of: volume) : changes(of: volume).upper)
    }

    package func facts() async throws -> PoolFacts { try layout.facts(driver: driver) }

    func forget(_ volume: String) {
        passes.forget(volume)
        memories.withLock { _ = $0.removeValue(forKey: volume) }
    }

    /// What a daemon that was killed has left.
    func removeAllLeftovers() async throws {
        try await shelf.removeDrafts()
        try await removeLeftovers()
        try await removeKeptLeftovers()
        try await sweep()
    }

    private func removeLeftovers() async throws {
        for path in try layout.leftovers() { try await Rm.tree(path).check() }
    }

    /// Removes layers over which no volume lies.
    func sweep() async throws {
        try await shelf.sweep { [self] in
            let volumes = try Directories.names(in: layout.volumes).filter(VolumeLayout.isUsable)
            let places = try volumes.map { layout.place(of: $0) } + layout.keptPlaces()
            return Set(try places.flatMap { try stacks(in: $0) }.flatMap { try $0.layers })
        }
    }

    /// Those of a volume and of its snapshots, wherever it stands.
    func stacks(in place: String) throws -> [LayerStack] {
        let snapshots = try Directories.names(in: "\(place)/snapshots")
        return try (["changes"] + snapshots.map { "snapshots/\($0)" })
            .map { LayerStack(directory: "\(place)/\($0)") }.filter { try $0.isThere }
    }
}

/// Mounts.
extension OverlayPool {
    /// The tree of a volume, all of it.
    ///
    /// - Throws: `notFound` if it is not mounted: what is there then is not the volume.
    func tree(of volume: String) throws -> String {
        try layout.mountedTree(of: volume, type: "overlay")
    }

    /// Mounts what is not mounted.
    func mountAll(of volume: String) async throws {
        try await mount(volume)
        for snapshot in try await snapshots(of: volume) {
            try await mount(snapshot, of: volume)
        }
    }

    func mount(_ volume: String) async throws {
        let place = "../volumes/\(volume)/changes"
        try await mount(
            changes(of: volume), [], changes: ("\(place)/upper", "\(place)/work"),
            at: layout.path(of: volume))
    }

    func mount(_ snapshot: String, of volume: String) async throws {
        try await mount(
            LayerStack(directory: layout.place(of: snapshot, in: volume)),
            ["../volumes/\(volume)/snapshots/\(snapshot)/upper"], changes: nil,
            at: path(of: snapshot, in: volume))
    }

    /// - Parameter top: what lies above the stack's layers, without its own changes.
    private func mount(
        _ stack: LayerStack, _ top: [String], changes: (changes: String, work: String)?,
        at point: String
    ) async throws {
        if let mounted = try MountedFilesystem.at(point) {
            guard mounted.type == "overlay" else {
                throw GodwitError(
                    .busy, "\(point) has a \(mounted.type) mounted",
                    remedy: "unmount it, and start the daemon again")
            }
            return
        }
        let layers = try stack.layers
        if let missing = try layers.first(where: { try !shelf.has($0) }) {
            throw GodwitError(
                .stateUnreadable, "the layer \(missing.short) is missing below \(point)",
                remedy: "restore the pool's directory from a backup")
        }
        let lower = top + layers.reversed().map(LayerShelf.place) + [LayerShelf.empty]
        try await Mount.overlay(lower, upper: changes, at: point, in: shelf.directory).check()
    }

    /// - Throws: `toolFailed` while somebody uses it.
    func unmount(_ volume: String) async throws {
        try await MountedFilesystem.unmount(layout.path(of: volume))
    }

    /// Lays a volume's changes over other layers; what they are is to arrive yet.
    func put(_ volume: String, over layers: [BlobDigest]) async throws {
        try await unmount(volume)
        let stack = changes(of: volume)
        try stack.write(layers)
        if let top = layers.last {
            try Directories.setOwnership(of: stack.upper, like: shelf.path(of: top))
        }
    }
}
