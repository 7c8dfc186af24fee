import CLinux
package import MigrationCore

/// A tree as it would look on the source of a migration, through an idmapped mount that nobody else
/// sees: what is written below `path` with the source's ids lies on the disk with those of the
/// target, and what is read there is shown with the source's; owners, ACLs and the root ids of file
/// capabilities.
///
/// It is there as long as this object, and nothing of it stays after the end of the process.
package final class IDMappedTree: Sendable {
    package let descriptor: Descriptor

    /// For this process alone.
    package var path: String { Descriptor.path(descriptor.number) }

    /// - Returns: nil where the kernel (before 5.12) or the filesystem has no idmapped mounts.
    package static func open(_ root: String, _ change: IDChange) -> IDMappedTree? {
        let map = change.extents.map { "\($0.target) \($0.source) \($0.count)\n" }.joined()
        let number = unsafe godwit_idmapped_tree(root, map)
        return number < 0 ? nil : IDMappedTree(Descriptor(taking: number))
    }

    private init(_ descriptor: Descriptor) { self.descriptor = descriptor }
}

extension Descriptor {
    /// How a process names one of its open files to itself.
    package static func path(_ number: Int32) -> String { "/proc/self/fd/\(number)" }
}
