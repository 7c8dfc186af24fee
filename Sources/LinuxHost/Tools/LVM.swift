package import MigrationCore

/// All that is asked of `lvm` about one volume group; 2.03.12 or newer.
package struct LVM: Equatable, Sendable {
    package let group: String
    /// The one device of a group that is Godwit's own: lvm looks at no other, whatever its devices
    /// file and filters say. Nil for an operator's group.
    package let device: String?
    /// Whether udev makes the device files here, for which lvm then waits; else it makes them
    /// itself.
    package let hasUdev: Bool

    package init(group: String, device: String?, hasUdev: Bool) {
        self.group = group
        self.device = device
        self.hasUdev = hasUdev
    }

    /// The same on all hosts. Blocks of it are mapped, shared and compared.
    package static let chunk = ByteCount.kibibytes(64)

    /// The names of groups that the device is part of.
    package static func groups(on device: String, hasUdev: Bool) -> Command {
        LVM(group: "", device: device, hasUdev: hasUdev)
            .command("vgs", ["--noheadings", "--options", "vg_name"])
    }

    /// Says its name if there is such a group.
    package func find() -> Command {
        command("vgs", ["--noheadings", "--options", "vg_name", group])
    }

    /// Says how many bytes of the group are in no volume.
    package func room() -> Command {
        command(
            "vgs",
            ["--noheadings", "--units", "b", "--nosuffix", "--options", "vg_free", group])
    }

    /// Makes a group of the device, unless something else is on it: there is nobody to answer
    /// whether that may be wiped. No boot activates it.
    package func makeGroup(on device: String) -> Command {
        command("vgcreate", ["--setautoactivation", "n", group, device])
    }

    package func removeGroup() -> Command { command("vgremove", [group]) }
    package func release(_ device: String) -> Command { command("pvremove", [device]) }
    /// Takes all that the device has come to have.
    package func grow(_ device: String) -> Command { command("pvresize", [device]) }

    /// - Parameter size: nil for all that is free.
    package func makePool(_ pool: String, size: ByteCount?, metadata: ByteCount) -> Command {
        let extent = size.map { ["--size", Self.bytes($0)] } ?? ["--extents", "100%FREE"]
        return command(
            "lvcreate",
            ["--type", "thin-pool"] + extent + [
                "--poolmetadatasize", Self.bytes(metadata), "--chunksize", Self.bytes(Self.chunk),
                "--name", pool, group,
            ])
    }

    package func growMetadata(of pool: String, to size: ByteCount) -> Command {
        command("lvextend", ["--poolmetadatasize", Self.bytes(size), path(pool)])
    }

    /// - Parameter size: nil for all that is free.
    package func grow(_ volume: String, to size: ByteCount?) -> Command {
        let extent = size.map { ["--size", Self.bytes($0)] } ?? ["--extents", "+100%FREE"]
        return command("lvextend", extent + [path(volume)])
    }

    package func makeVolume(_ name: String, in pool: String, size: ByteCount) -> Command {
        command(
            "lvcreate",
            ["--thin", "--virtualsize", Self.bytes(size), "--name", name, path(pool)])
    }

    /// The filesystem on the origin is frozen for that moment, so that the snapshot's is whole.
    package func makeSnapshot(
        _ name: String, of origin: String, isReadOnly: Bool
    ) -> Command {
        command(
            "lvcreate",
            [
                "--snapshot", "--setactivationskip", "n", "--permission", isReadOnly ? "r" : "rw",
                "--name", name, path(origin),
            ])
    }

    package func activate(_ names: [String]) -> Command {
        command("lvchange", ["--activate", "y", "--ignoreactivationskip"] + names.map(path))
    }

    /// With all that is in it if it is a pool.
    package func remove(_ name: String) -> Command {
        command("lvremove", ["--yes", path(name)])
    }

    /// One line a volume: name, pool, number in the pool, bytes.
    package func volumes() -> Command {
        command(
            "lvs",
            [
                "--noheadings", "--separator", "|", "--units", "b", "--nosuffix", "--options",
                "lv_name,pool_lv,thin_id,lv_size,lv_metadata_size", group,
            ])
    }

    private func path(_ name: String) -> String { "\(group)/\(name)" }
    private static func bytes(_ size: ByteCount) -> String { "\(size.bytes)b" }

    private func command(_ verb: String, _ words: [String]) -> Command {
        let devices = device.map { ["--devices", $0] } ?? []
        return Command(
            "lvm", [verb] + devices + ["--config", configuration] + words,
            environment: ["LC_ALL": "C", "LVM_SUPPRESS_FD_WARNINGS": "1"])
    }

    /// Pools end writes for which they have no room: else these wait a minute for somebody to
    /// extend the pool. A group of Godwit's own needs nobody to do that, and no backups of what can
    /// be made anew.
    private var configuration: String {
        let isOurs = device != nil
        let activation =
            ["error_when_full=1"] + (hasUdev ? [] : ["udev_sync=0", "udev_rules=0"])
            + (isOurs ? ["monitoring=0"] : [])
        var sections = ["activation{\(activation.joined(separator: " "))}"]
        if !hasUdev { sections.append("devices{obtain_device_list_from_udev=0}") }
        if isOurs { sections.append("backup{backup=0 archive=0}") }
        return sections.joined(separator: " ")
    }
}

/// A line of `volumes`.
package struct LVMVolume: Equatable, Sendable {
    package let name: String
    /// The thin pool that it is in.
    package let pool: String?
    /// Its number there.
    package let id: UInt32?
    package let size: ByteCount
    /// Of a pool.
    package let metadata: ByteCount?

    /// What is no line of a volume is passed over.
    package static func all(_ text: String) -> [LVMVolume] {
        text.split(separator: "\n").compactMap { LVMVolume($0) }
    }

    private init?(_ line: Substring) {
        let words = line.split(separator: "|", omittingEmptySubsequences: false)
            .map { $0.filter { !$0.isWhitespace } }
        guard words.count == 5, !words[0].isEmpty, let bytes = UInt64(words[3]) else {
            return nil
        }
        name = words[0]
        pool = words[1].isEmpty ? nil : words[1]
        id = UInt32(words[2])
        size = ByteCount(bytes: bytes)
        metadata = UInt64(words[4]).map { ByteCount(bytes: $0) }
    }
}
