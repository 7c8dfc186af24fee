import LinuxHost
package import MigrationCore
import Synchronization

/// Volumes as datasets of ZFS; the first pass of a move is a snapshot that is sent, the second one
/// rsync.
///
///     ROOT 0711 / volumes 0711 / NAME 0711 / rootfs          where the dataset is mounted
///                                          / snapshots 0700 / SNAPSHOT   while somebody reads it
package final class ZfsPool: PoolDriver {
    package let driver = "zfs"
    package let methods: [VolumeMethod] = [.zfs, .rsync]
    let layout: VolumeLayout
    let names: ZfsNames
    let tools: ZfsTools
    let passes = TreePasses()
    /// Volumes that were kept copies, of which a move is to send what differs.
    let taken = Mutex<Set<String>>([])
    /// First passes that broke, by volume, of which the target may have kept what had come.
    let broken = Mutex<[String: BrokenPass]>([:])

    /// - Parameters:
    ///   - path: a directory of any filesystem, below which datasets are mounted.
    ///   - parent: the dataset that has `volumes` below it.
    init(name: String, path: String, parent: String, tools: ZfsTools) {
        layout = VolumeLayout(pool: name, root: path)
        names = ZfsNames(parent: parent)
        self.tools = tools
    }

    /// - Throws: `nameTaken` if there is such a volume and it is not empty.
    package func createVolume(_ name: String) async throws -> String {
        let path = try layout.usablePath(of: name)
        try names.require(name)
        try layout.makePlace(of: name)
        let found = try await survey(name)
        if !found.exists {
            try await tools.run(tools.zfs.create(names.place(of: name), ZfsMaker.unmounted))
        }
        if found.head == nil {
            let properties = Self.mountable + ["mountpoint=\(path)"]
            try await tools.run(tools.zfs.create(names.head(of: name), properties))
        }
        try await mount(names.head(of: name), at: path)
        if found.head == nil { try Directories.setMode(0o755, of: path) }
        guard try Directories.names(in: path).isEmpty else { throw layout.taken(name) }
        return path
    }

    /// Mounted by nobody but this driver.
    static let mountable = ["canmount=noauto"]

    /// - Precondition: a name that could be one of a volume here.
    package func path(of volume: String) -> String { layout.path(of: volume) }
    package func hasVolume(_ name: String) async -> Bool { layout.has(name) }

    /// - Throws: `nameTaken`, `notFound`; done already is no error.
    package func renameVolume(_ name: String, to newName: String) async throws {
        _ = try (layout.usablePath(of: name), layout.usablePath(of: newName))
        try names.require(newName)
        let (old, new) = try await (survey(name), survey(newName))
        if old.exists {
            guard !new.exists else { throw layout.taken(newName) }
            try await forgetBrokenPass(of: name)
            try await unmountAll(old, of: name)
            try await tools.run(
                tools.zfs.rename(names.place(of: name), to: names.place(of: newName)))
        } else if !new.exists {
            throw unknown(name)
        }
        try await Rm.tree(layout.place(of: name)).check()
        try await settle(newName)
        passes.rename(name, to: newName)
    }

    /// Deletes the volume and its snapshots. No volume is no error.
    package func deleteVolume(_ name: String) async throws {
        _ = try layout.usablePath(of: name)
        forget(name)
        let found = try await survey(name)
        if found.exists {
            try await unmountAll(found, of: name)
            try await tools.run(tools.zfs.destroyAll(names.place(of: name)))
        }
        try await Rm.tree(layout.place(of: name)).check()
    }

    package func used(by volume: String) async throws -> ByteCount {
        _ = try layout.usablePath(of: volume)
        let found = try await survey(volume)
        guard let head = found.head else { throw unknown(volume) }
        return try await head.referenced + (partial(found)?.referenced ?? .zero)
    }

    /// - Throws: `notFound` if its zpool is not imported (any more).
    package func facts() async throws -> PoolFacts {
        guard let values = try await tools.values(["available"], of: names.volumes),
            let available = values.first.flatMap(UInt64.init)
        else {
            throw GodwitError(
                .notFound, "there is no dataset \(names.volumes) for the pool \(layout.pool)",
                remedy: "import its zpool, or start the daemon again")
        }
        return PoolFacts(
            name: layout.pool, driver: driver, filesystem: "zfs",
            available: ByteCount(bytes: available))
    }

    func unknown(_ volume: String) -> GodwitError {
        GodwitError(
            .notFound, "the pool \(layout.pool) has no volume \(volume)",
            remedy: "see `godwit list`")
    }
}

extension ZfsPool {
    func survey(_ volume: String) async throws -> ZfsVolume {
        let place = names.place(of: volume)
        let result = try await tools.zfs.values(ZfsVolume.properties, below: place)
            .run(limit: Limit.datasetList)
        if let failure = Zfs.failure(result.status, said: result.errorText) {
            guard result.errorText.contains("does not exist") else { throw failure }
        }
        guard result.output.count < Int(Limit.datasetList.bytes) else {
            throw GodwitError(
                .limitExceeded, "the volume \(volume) has more snapshots than can be listed",
                remedy: "destroy some of \(place)")
        }
        return ZfsVolume(result.text, below: place)
    }

    /// - Throws: `notFound` if the volume is not mounted.
    func tree(of volume: String) throws -> String {
        try layout.mountedTree(of: volume) { $0.device == names.head(of: volume) }
    }

    func mount(_ dataset: String, at path: String) async throws {
        if let mounted = try MountedFilesystem.at(path) {
            guard mounted.device == dataset else {
                throw GodwitError(
                    .busy, "\(path) has \(mounted.device) mounted", remedy: "unmount it")
            }
            return
        }
        try await tools.run(tools.zfs.mount(dataset))
    }

    func unmount(_ dataset: String, at path: String) async throws {
        guard try MountedFilesystem.at(path)?.device == dataset else { return }
        try await tools.run(tools.zfs.unmount(dataset))
    }

    /// The volume and all trees of its snapshots.
    func unmountAll(_ found: ZfsVolume, of volume: String) async throws {
        try await removeViews(found, of: volume)
        try await unmount(names.head(of: volume), at: layout.path(of: volume))
    }

    /// Puts a dataset in the place of the volume. Where that ends half way, `settle` goes on.
    func put(_ dataset: String, inPlaceOf volume: String) async throws {
        let (head, path) = (names.head(of: volume), layout.path(of: volume))
        for property in Self.mountable + ["mountpoint=\(path)"] {
            try await tools.run(tools.zfs.set(property, of: dataset))
        }
        try await unmount(head, at: path)
        try await tools.run(tools.zfs.rename(head, to: names.old(of: volume)))
        try await tools.run(tools.zfs.rename(dataset, to: head))
        try await mount(head, at: path)
        forget(volume)
        try await removeOld(try await survey(volume), of: volume)
    }

    /// Removes what the volume was before, unless its snapshots are kept; then only what came after
    /// these.
    func removeOld(_ found: ZfsVolume, of volume: String) async throws {
        for old in found.datasets(ZfsNames.old) {
            let snapshots = found.snapshots(of: old.name)
            if snapshots.allSatisfy({ !$0.name.hasPrefix(ZfsNames.kept) }) {
                // Datasets that were made of its snapshots hold it.
                try? await tools.run(tools.zfs.destroyAll(old.path))
            } else if let newest = snapshots.last {
                try? await tools.run(tools.zfs.rollback(to: newest.path))
            }
        }
    }

    /// Makes a volume usable whatever a failure or a crash has left of it: mounted, with nothing
    /// half done beside it but a first pass that can go on.
    func settle(_ volume: String) async throws {
        var found = try await survey(volume)
        guard found.exists else { return }
        if found.head == nil {
            // Ended while one took the place of the other, or while all was made or deleted.
            let partial = try await partial(found)
            let whole = found.datasets(ZfsNames.fresh).first { $0.path != partial?.path }
            guard let fresh = whole else {
                if !found.holdsOthers { try await deleteVolume(volume) }
                return
            }
            try await tools.run(tools.zfs.rename(fresh.path, to: names.head(of: volume)))
            found = try await survey(volume)
        }
        try await removeViews(found, of: volume)
        let partial = try await partial(found)
        for fresh in found.datasets(ZfsNames.fresh) where fresh.path != partial?.path {
            try await tools.run(tools.zfs.destroyAll(fresh.path))
        }
        let (head, path) = (names.head(of: volume), layout.path(of: volume))
        if found.head?.mountpoint != path {
            try await tools.run(tools.zfs.set("mountpoint=\(path)", of: head))
        }
        try layout.makePlace(of: volume)
        try await mount(head, at: path)
        try await removeOld(found, of: volume)
    }

    /// Makes all volumes usable, and removes what moves of a daemon that was killed have left.
    func settleAll() async throws {
        for volume in try await volumes() {
            try await settle(volume)
            try await removePasses(of: volume)
        }
        let known = Set(try await volumes())
        for name in try Directories.names(in: layout.volumes) where !known.contains(name) {
            try await Rm.tree(layout.place(of: name)).check()
        }
    }

    private func volumes() async throws -> [String] {
        try await ZfsMaker.names(below: names.volumes, tools)
    }

    /// The snapshots of a move, but for one.
    func removePasses(of volume: String, except name: String? = nil) async throws {
        for snapshot in try await survey(volume).snapshots
        where snapshot.name.hasPrefix(ZfsNames.pass) && snapshot.name != name {
            try await tools.run(tools.zfs.destroy(snapshot.path))
        }
    }
}
