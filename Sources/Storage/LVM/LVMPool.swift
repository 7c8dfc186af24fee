import LinuxHost
package import MigrationCore
import Synchronization

/// Volumes as thin volumes of LVM with an ext4 each, sent block by block where both ends are such.
///
///     ROOT 0711 / volumes 0711 / NAME 0711 / device       a link to the volume's device file
///                                          / rootfs       where it is mounted
///                                          / snapshots 0700 / SNAPSHOT 0700 / device, rootfs
///
/// The same as a volume's place in `kept`, for each copy that is kept.
///
/// The directories say what is whose: a volume gets another name, or goes, by one rename there, and
/// becomes what a snapshot is by another link. What no link leads to is a leftover.
package final class LVMPool: PoolDriver {
    package let driver = "lvm"
    package let methods: [VolumeMethod] = [.lvm, .rsync]
    let layout: VolumeLayout
    let thin: ThinPool
    let passes = TreePasses()

    /// - Parameter path: of a directory in which nothing else is.
    init(name: String, path: String, thin: ThinPool) {
        layout = VolumeLayout(pool: name, root: path)
        self.thin = thin
    }

    /// - Throws: `nameTaken` if there is such a volume and it is not empty.
    package func createVolume(_ name: String) async throws -> String {
        let path = try layout.usablePath(of: name)
        let place = layout.place(of: name)
        try? await removeLeftovers()
        try layout.makePlace(of: name)
        if device(at: place) == nil {
            let fresh = ThinPool.newName()
            do {
                try await thin.make(fresh, size: thin.status().size)
                try await MakeExt4.filesystem(on: thin.path(of: fresh)).check()
                try Directories.relink(thin.path(of: fresh), at: "\(place)/device")
                try Directories.synchronize(place)
                try Directories.synchronize(layout.volumes)
            } catch {
                try? await thin.remove(fresh)
                throw error
            }
        }
        try await mount(place)
        // What a check of the filesystem would need is made by that.
        try Directories.removeEmpty("\(path)/lost+found")
        guard try Directories.names(in: path).isEmpty else { throw layout.taken(name) }
        return path
    }

    /// - Precondition: a name that could be one of a volume here.
    package func path(of volume: String) -> String { layout.path(of: volume) }
    package func hasVolume(_ name: String) async -> Bool { layout.has(name) }

    /// What is mounted below goes along.
    ///
    /// - Throws: `nameTaken`, `notFound`; done already is no error.
    package func renameVolume(_ name: String, to newName: String) async throws {
        try layout.rename(name, to: newName)
        passes.rename(name, to: newName)
    }

    /// Deletes the volume and its snapshots at once for everyone who looks. No volume is no error.
    package func deleteVolume(_ name: String) async throws {
        _ = try layout.usablePath(of: name)
        passes.forget(name)
        try? await removeLeftovers()
        if let doomed = try layout.doom(name) { try await remove(place: doomed) }
    }

    package func used(by volume: String) async throws -> ByteCount {
        try await TreeUse.bytes(below: tree(of: volume))
    }

    /// - Throws: `notFound` if the pool is not active (any more).
    package func facts() async throws -> PoolFacts {
        let status = try await thin.status()
        // Without room for what says where blocks are, there is none for blocks either.
        let isFull = !status.isWritable || status.metadataUsed > Self.fullMetadata
        return PoolFacts(
            name: layout.pool, driver: driver, filesystem: "ext4",
            available: isFull ? .zero : status.available)
    }

    private static let fullMetadata = 0.95
}

/// What a place in the layout stands for: a volume, or a snapshot of one.
extension LVMPool {
    /// The thin volume's name; nil if there is none yet.
    func device(at place: String) -> String? {
        guard let target = Directories.target(ofLink: "\(place)/device"),
            let name = target.split(separator: "/").last.map(String.init),
            name.hasPrefix(ThinPool.prefix)
        else { return nil }
        return name
    }

    /// Mounts what is not mounted.
    func mount(_ place: String, isSnapshot: Bool = false) async throws {
        let point = "\(place)/rootfs"
        guard let device = device(at: place) else {
            throw GodwitError(.notFound, "there is no volume at \(place)")
        }
        guard try MountedFilesystem.at(point) == nil else { return }
        try Directories.make(point, mode: 0o755)
        let path = thin.path(of: device)
        let command =
            isSnapshot ? Mount.thinSnapshot(path, at: point) : Mount.thin(path, at: point)
        try await command.check()
    }

    /// A volume and its snapshots, as far as that is possible.
    ///
    /// - Throws: the first failure.
    func mountAll(of volume: String) async throws {
        let shelf = layout.shelf(of: volume)
        let snapshots = try Directories.names(in: shelf).map { "\(shelf)/\($0)" }
        var failure: (any Error)?
        for (place, isSnapshot) in [(layout.place(of: volume), false)]
            + snapshots.map({ ($0, true) })
        {
            do { try await mount(place, isSnapshot: isSnapshot) } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// - Throws: `notFound` if the volume is not mounted.
    func tree(of volume: String) throws -> String {
        try layout.mountedTree(of: volume, type: "ext4")
    }

    func unmount(_ place: String) async throws {
        try await MountedFilesystem.unmount("\(place)/rootfs")
    }

    /// Removes what a place stands for, and the place.
    func remove(place: String) async throws {
        let shelf = "\(place)/snapshots"
        for name in try Directories.names(in: shelf) {
            try await remove(place: "\(shelf)/\(name)")
        }
        try await unmount(place)
        if let device = device(at: place) { try await thin.remove(device) }
        try await Rm.tree(place).check()
    }

    /// Puts a thin volume in the place of the volume, which nothing uses, and removes what was
    /// there.
    func put(_ fresh: String, inPlaceOf volume: String) async throws {
        let place = layout.place(of: volume)
        let link = "\(place)/device"
        guard let old = device(at: place) else { throw missing(volume) }
        try await unmount(place)
        try Directories.relink(thin.path(of: fresh), at: link)
        do { try await mount(place) } catch {
            try Directories.relink(thin.path(of: old), at: link)
            try await mount(place)
            throw error
        }
        // Else the link could lead to the old one again after a loss of power, and that be gone.
        try Directories.synchronize(place)
        // What cannot be removed now is when the pool is opened the next time.
        try? await thin.remove(old)
    }

    func missing(_ volume: String) -> GodwitError {
        GodwitError(
            .notFound, "the pool \(layout.pool) has no volume \(volume)",
            remedy: "see `godwit list`")
    }
}

extension LVMPool {
    /// Makes what there is usable, and removes what a daemon that was killed has left: after this,
    /// thin volumes and links are as many.
    func wake() async throws {
        try? await removeLeftovers()
        for volume in try volumes() {
            for name in try Directories.names(in: layout.shelf(of: volume))
            where name.hasPrefix(".") {
                try await remove(place: "\(layout.shelf(of: volume))/\(name)")
            }
        }
        try? await removeKeptLeftovers()
        let places = try volumes().map { layout.place(of: $0) } + layout.keptPlaces()
        let wanted = Set(try places.flatMap { try devices(in: $0) })
        let known = try await thin.volumes().map(\.name)
        try await thin.activate(known.filter(wanted.contains))
        // One that cannot be read is still there to be deleted, and keeps no other from being used.
        for volume in try volumes() { try? await mountAll(of: volume) }
        await thin.releaseMetadata()
        for stray in known where stray.hasPrefix(ThinPool.prefix) && !wanted.contains(stray) {
            try? await thin.remove(stray)
        }
    }

    /// Every volume whose filesystem is smaller than the pool becomes as large; a copy that is kept
    /// does when it is taken.
    func growVolumes() async throws {
        for volume in try volumes() {
            let place = layout.place(of: volume)
            if device(at: place) != nil { try await grow(place) }
        }
    }

    func grow(_ place: String) async throws {
        let size = try await thin.status().size
        let known = try await thin.volumes()
        guard let volume = known.first(where: { $0.name == device(at: place) }) else { return }
        if volume.size < size { try await thin.lvm.grow(volume.name, to: size).check() }
        try await Resize2fs.grow(thin.path(of: volume.name)).check()
    }

    /// Deletions that have not ended.
    func removeLeftovers() async throws {
        for place in try layout.leftovers() { try await remove(place: place) }
    }

    private func volumes() throws -> [String] {
        try Directories.names(in: layout.volumes).filter(VolumeLayout.isUsable)
    }

    /// Thin volumes of a place, and of its snapshots with those that were begun.
    private func devices(in place: String) throws -> [String] {
        let snapshots = try Directories.names(in: "\(place)/snapshots")
        return ([place] + snapshots.map { "\(place)/snapshots/\($0)" })
            .compactMap { device(at: $0) }
    }
}
