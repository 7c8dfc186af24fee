import LinuxHost
package import MigrationCore
import Synchronization

/// Volumes in a directory that other hosts see as well, through a network or cluster filesystem.
///
///     ROOT 0711 / volumes 0711 / NAME 0711 / rootfs 0755
///                                          / owner         whose it is
///                                          / .token-HEX    of a move that is being planned
///
/// To pools of other kinds a volume travels as a directory's does.
package final class SharedPool: PoolDriver {
    package let driver = "shared"
    package let methods: [VolumeMethod] = [.shared, .rsync]
    let directory: DirectoryPool
    /// Who this host is.
    let host: String
    /// Volumes that a move under way leaves where they are.
    let staying = Mutex<Set<String>>([])
    /// Files of this host's latest tokens, by volume.
    private let tokens = Mutex<[String: String]>([:])
    private var layout: VolumeLayout { directory.layout }

    init(name: String, path: String, host: String) {
        directory = DirectoryPool(name: name, path: path)
        self.host = host
    }

    /// - Throws: `nameTaken` if any host has such a volume.
    package func createVolume(_ name: String) async throws -> String {
        _ = try layout.usablePath(of: name)
        let place = layout.place(of: name)
        try layout.makePlace(of: name)
        guard try VolumeOwner(host: host).claim(at: place) else { throw layout.taken(name) }
        return try await directory.createVolume(name)
    }

    /// - Precondition: a name that could be one of a volume here.
    package func path(of volume: String) -> String { layout.path(of: volume) }
    /// Whoever's it is.
    package func hasVolume(_ name: String) async -> Bool { layout.has(name) }

    /// - Throws: `nameTaken`; `notFound` also if it is another host's; done already is no error.
    package func renameVolume(_ name: String, to newName: String) async throws {
        _ = try (layout.usablePath(of: name), layout.usablePath(of: newName))
        let owned = try ownsWholly(name) || (!layout.has(name) && ownsWholly(newName))
        guard owned else {
            throw GodwitError(
                .notFound, "the volume \(name) of pool \(layout.pool) is not this host's")
        }
        try await directory.renameVolume(name, to: newName)
    }

    /// No volume, and one that belongs to another host or that one may have taken, is no error, and
    /// stays as it is.
    package func deleteVolume(_ name: String) async throws {
        _ = try layout.usablePath(of: name)
        guard try ownsWholly(name) else { return }
        try await directory.deleteVolume(name)
    }

    package func used(by volume: String) async throws -> ByteCount {
        try await directory.used(by: volume)
    }

    /// - Throws: `notFound` if the directory has gone: its filesystem is not mounted any more.
    package func facts() async throws -> PoolFacts {
        guard try FileStatus.of(layout.volumes)?.kind == .directory else {
            throw GodwitError(
                .notFound, "\(layout.root) holds no pool",
                remedy: "mount its filesystem there, and start the daemon again")
        }
        return try layout.facts(driver: driver)
    }

    private func owns(_ volume: String) throws -> Bool {
        try VolumeOwner.read(at: layout.place(of: volume))?.host == host
    }

    /// Whether it is this host's and has been offered to nobody.
    private func ownsWholly(_ volume: String) throws -> Bool {
        try VolumeOwner.read(at: layout.place(of: volume)) == VolumeOwner(host: host)
    }

    /// - Throws: `busy` if the volume is another host's.
    func requireOwn(_ volume: String) throws {
        _ = try layout.usablePath(of: volume)
        guard try owns(volume) else {
            throw GodwitError(
                .busy, "the volume \(volume) of pool \(layout.pool) belongs to another host",
                remedy: "see where the instance runs, and move it from there")
        }
    }
}

extension SharedPool: VolumeSharing {
    package func makeToken(for volume: String) async throws -> SharedToken {
        try requireOwn(volume)
        let place = layout.place(of: volume)
        for name in try Directories.names(in: place) where name.hasPrefix(Self.tokenPrefix) {
            try SmallFile.remove("\(place)/\(name)")
        }
        let token = SharedToken(name: randomHexadecimal(), value: randomHexadecimal())
        let path = "\(place)/\(Self.tokenPrefix)\(token.name)"
        try SmallFile.replace(path, with: Array(token.value.utf8))
        try Directories.synchronize(path)
        tokens.withLock { $0[volume] = path }
        return token
    }

    /// Not if this host owns the volume already: then two hosts have the same state directory, and
    /// could not be told apart afterwards.
    package func sees(_ token: SharedToken, of volume: String) async -> Bool {
        let isName = VolumeLayout.isUsable(volume) && VolumeLayout.isUsable(token.name)
        guard isName, layout.has(volume), (try? owns(volume)) == false else { return false }
        let path = "\(layout.place(of: volume))/\(Self.tokenPrefix)\(token.name)"
        return SmallFile.word(path) == token.value
    }

    package func takeVolume(_ name: String) async throws {
        // What cannot be looked at is there.
        guard try FileStatus.of(layout.usablePath(of: name))?.kind == .directory else {
            throw GodwitError(
                .notFound, "the pool \(layout.pool) has no volume \(name)",
                remedy: "mount its filesystem at \(layout.root)")
        }
        let own = VolumeOwner(host: host)
        let place = layout.place(of: name)
        guard try VolumeOwner.read(at: place) != own else { return }
        try own.write(at: place)
    }

    /// One that was offered, and that nobody has taken, stays: it may be taken yet.
    package func leaveVolume(_ name: String) async throws {
        _ = try layout.usablePath(of: name)
        guard try ownsWholly(name) else { return directory.forget(name) }
        try await directory.deleteVolume(name)
    }

    func removeToken(of volume: String) throws {
        let path = tokens.withLock { $0.removeValue(forKey: volume) }
        if let path { try SmallFile.remove(path) }
    }

    private static let tokenPrefix = ".token-"
}
