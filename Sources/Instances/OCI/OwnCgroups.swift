import Foundation
import LinuxHost
import MigrationCore

// Control groups that an instance makes below its own. CRIU leaves control groups alone, so they
// travel as a file beside its images: limits, and who is in them by the numbers inside.

extension RuntimeRecord {
    private var cgroup: Cgroup {
        get throws { try Cgroup(path: configuration.cgroupPath(of: definition.name)) }
    }

    /// Before runc, which binds the instance's group into its mounts.
    func prepareCgroups() throws {
        if definition.limits.delegatesCgroups { try cgroup.prepareToDivide() }
    }

    /// Gives the group to the instance, with the groups that have come with its images, before any
    /// of its files is opened.
    func arrangeCgroups() throws {
        guard definition.limits.delegatesCgroups else { return }
        let cgroup = try cgroup
        try cgroup.delegate(to: definition.idMap?.hostStart ?? 0)
        guard let subgroups = try arrivedSubgroups() else { return }
        let owners = definition.idMap.map { $0.hostStart...($0.hostStart + ($0.count - 1)) }
        try cgroup.make(subgroups, owners: owners)
    }

    /// Once all tasks stand, before any runs.
    func fillCgroups() throws {
        guard let subgroups = try arrivedSubgroups() else { return }
        try cgroup.fill(subgroups)
        try SmallFile.remove(files.subgroups)
    }

    private func arrivedSubgroups() throws -> Subgroups? {
        guard definition.limits.delegatesCgroups, SmallFile.exists(files.subgroups) else {
            return nil
        }
        return try Subgroups(decoding: SmallFile.bytes(files.subgroups))
    }
}

extension OCIDriver {
    /// Writes down the groups of the instance, which stands still.
    ///
    /// - Throws: `limitExceeded` for more than the target would read.
    func saveSubgroups(_ definition: InstanceDefinition) throws {
        guard definition.limits.delegatesCgroups else { return }
        let found = try cgroup(definition).subgroups()
        guard !found.isEmpty else { return }
        let bytes = Array(try JSONEncoder().encode(found))
        guard bytes.count <= Int(Limit.smallFile.bytes) else { throw Subgroups.tooMany }
        try SmallFile.replace(files(definition).subgroups, with: bytes)
    }

    /// Where no page server has asked for it while the tasks stood.
    func fillSubgroups(_ record: RuntimeRecord) async throws {
        guard record.definition.limits.delegatesCgroups, SmallFile.exists(record.files.subgroups)
        else { return }
        let cgroup = try cgroup(record.definition)
        try await cgroup.freeze()
        try record.fillCgroups()
        try cgroup.thaw()
    }

    /// runc makes the place where control groups are mounted in the tree itself when it restores;
    /// made at the start it is the same on both hosts.
    func makeCgroupPlace(_ definition: InstanceDefinition, root: String) throws {
        guard definition.limits.delegatesCgroups else { return }
        try RootedFiles(root).makeDirectories(
            ["sys", "fs", "cgroup"], owner: definition.idMap?.hostStart ?? 0)
    }
}

extension OCISpecification.Mount {
    /// The instance's own group in each hierarchy that it may divide, and nothing above it. They
    /// are bound, so that they are the same at a restore, where runc looks for its own group.
    static func ofCgroups(_ record: RuntimeRecord, _ mounts: CgroupMounts) -> [Self] {
        guard record.definition.limits.delegatesCgroups else { return [] }
        let place = "/sys/fs/cgroup"
        let flags = ["nosuid", "nodev", "noexec"]
        let group = record.configuration.cgroupPath(of: record.definition.name)
        let bound = mounts.divisible.map { name, point in
            Self(
                destination: name.isEmpty ? place : "\(place)/\(name)", type: "bind",
                source: point + group, options: ["bind", "private"] + flags)
        }
        guard mounts.version == 1 else { return bound }
        let above = Self(
            destination: place, type: "tmpfs", source: "tmpfs",
            options: flags + ["mode=755", "size=64k"])
        return [above] + bound
    }
}
