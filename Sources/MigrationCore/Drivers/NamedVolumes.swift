/// A named volume by its pool and its name: a tree that instances mount beside their root volumes.
package struct VolumeReference: Codable, Hashable, Sendable, CustomStringConvertible {
    package let pool: String
    package let name: VolumeName

    enum CodingKeys: String, CodingKey { case pool, name }

    /// - Throws: `badRequest` for a pool that cannot be.
    package init(pool: String, name: VolumeName) throws(GodwitError) {
        try PoolDefinition(name: pool, kind: .directory).validate()
        self.pool = pool
        self.name = name
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            pool: container.decode(String.self, forKey: .pool),
            name: container.decode(VolumeName.self, forKey: .name))
    }

    /// Reads `[POOL/]NAME`; without a pool it is the one called `default`.
    package init(_ text: String) throws(GodwitError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let pool = parts.count == 2 ? String(parts[0]) : "default"
        try self.init(pool: pool, name: VolumeName(parts.last.map(String.init) ?? ""))
    }

    package var description: String { "\(pool)/\(name)" }

    /// Its name among the volumes of a migration. A root volume's is its instance's name, which has
    /// no slash.
    package var key: String { "custom/\(pool)/\(name)" }

    /// What its pool's driver calls it. No root volume is called so: an instance's name has no
    /// underscore.
    package var stored: String { "custom_\(name)" }
}

/// A named volume as `godwit volume list` and `info` show it.
package struct VolumeView: Codable, Equatable, Sendable {
    package var volume: VolumeReference
    package var created: Timestamp
    /// Nil where the pool cannot be asked now.
    package var used: ByteCount?
    /// The ids that its files have on the host; nil for those of privileged instances, and as long
    /// as no instance has had it.
    package var idMap: IDMap?
    package var uses: [VolumeUse]

    package init(
        volume: VolumeReference, created: Timestamp, used: ByteCount? = nil, idMap: IDMap? = nil,
        uses: [VolumeUse] = []
    ) {
        self.volume = volume
        self.created = created
        self.used = used
        self.idMap = idMap
        self.uses = uses
    }
}

/// That an instance has a named volume.
package struct VolumeUse: Codable, Equatable, Sendable {
    package var instance: InstanceName
    /// Where, in the instance.
    package var path: String
    package var isReadOnly: Bool

    package init(instance: InstanceName, path: String, isReadOnly: Bool) {
        self.instance = instance
        self.path = path
        self.isReadOnly = isReadOnly
    }
}

/// What can be asked of a host about named volumes.
package protocol VolumeControl: Sendable {
    /// By pool and name; of one pool, or of all.
    func volumes(in pool: String?) async throws -> [VolumeView]
    func volume(_ volume: VolumeReference) async throws -> VolumeView
    /// Throws `nameTaken`.
    func createVolume(_ volume: VolumeReference) async throws
    /// Throws `busy` while an instance has it.
    func deleteVolume(_ volume: VolumeReference) async throws
    /// Throws `alreadyRunning` unless the instance is stopped.
    func attachVolume(_ volume: VolumeReference, _ use: VolumeUse) async throws
    func detachVolume(_ volume: VolumeReference, from instance: InstanceName) async throws
}

extension InstanceDefinition {
    /// Those that it mounts, in the order of its mounts.
    package var namedVolumes: [VolumeReference] { mounts.compactMap(\.volume) }

    /// The pool of a volume by its name in a migration: of the root volume's for any that is not
    /// one of the named.
    package func pool(ofVolume key: String) -> String {
        namedVolumes.first { $0.key == key }?.pool ?? pool
    }

    /// - Throws: `badRequest` where two mounts would be in one place, or one nowhere.
    package func requireUsableMounts() throws(GodwitError) {
        var places: Set<String> = []
        for mount in mounts {
            guard mount.path.isMountPoint, mount.volume != nil || mount.hostPath.hasPrefix("/")
            else {
                throw GodwitError(
                    .badRequest, "nothing can be mounted at \"\(mount.path.prefix(200))\"",
                    remedy: "give absolute paths without . and .. in them, and not / itself")
            }
            guard places.insert(mount.path).inserted else {
                throw GodwitError(
                    .badRequest, "two mounts would be at \(mount.path.prefix(200))",
                    remedy: "give each a path of its own")
            }
        }
        guard Set(namedVolumes).count == namedVolumes.count else {
            throw GodwitError(
                .badRequest, "an instance can have a volume once only",
                remedy: "mount it in one place")
        }
        guard namedVolumes.count < Limit.volumesPerInstance else {
            throw GodwitError(
                .limitExceeded,
                "an instance has at most \(Limit.volumesPerInstance - 1) named volumes")
        }
    }
}

extension String {
    fileprivate var isMountPoint: Bool {
        let parts = split(separator: "/", omittingEmptySubsequences: false)
        return hasPrefix("/") && parts.count > 1 && !utf8.contains(0)
            && parts.dropFirst().allSatisfy { !["", ".", ".."].contains($0) }
    }
}

/// Of places in an instance, the one in which a path lies, and the path below it: `/b`, or nothing.
///
/// Byte by byte, as the kernel compares: to it a letter is not the same as its parts.
package func innermost<Value>(
    _ places: [(inside: String, value: Value)], above path: String
) -> (value: Value, rest: String)? {
    let above = places.filter {
        path.utf8.elementsEqual($0.inside.utf8) || path.utf8.starts(with: ($0.inside + "/").utf8)
    }
    guard let found = above.max(by: { $0.inside.utf8.count < $1.inside.utf8.count }) else {
        return nil
    }
    let rest = path.utf8.dropFirst(found.inside.utf8.count)
    return (found.value, String(decoding: rest, as: UTF8.self))
}
