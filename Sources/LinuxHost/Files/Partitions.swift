import MigrationCore

/// What the kernel says of disks in sysfs.
package enum Partitions {
    /// The device file of a disk's first partition; nil if it has none, or is none.
    ///
    /// - Parameters:
    ///   - path: of the disk, or a link to it.
    ///   - classes: where the kernel has a folder for each disk and partition, with a file
    ///     `partition` in the latter.
    package static func first(
        of path: String, below classes: String = "/sys/class/block"
    ) throws -> String? {
        guard try FileStatus.following(path) != nil else { return nil }
        let device = try Directories.canonical(path)
        let folder = Directories.parent(of: device)
        let name = device.dropFirst(folder.count + 1)
        let names = (try? Directories.names(in: "\(classes)/\(name)")) ?? []
        return names.first { SmallFile.word("\(classes)/\(name)/\($0)/partition") == "1" }
            .map { "\(folder)/\($0)" }
    }
}
