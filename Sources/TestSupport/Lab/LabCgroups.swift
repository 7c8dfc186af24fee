import Foundation

/// The control groups that carry a lab's prefix, on version 1, version 2 and the mixture of both.
package enum LabCgroups {
    private static let root = "/sys/fs/cgroup"

    /// Every cgroup directory whose name begins with the prefix and all below it, deepest first.
    package static func find(prefix: String) -> [String] {
        let walk = FileManager.default.enumerator(atPath: root)
        var found: [String] = []
        while let path = walk?.nextObject() as? String {
            guard path.split(separator: "/").contains(where: { $0.hasPrefix(prefix) }),
                walk?.fileAttributes?[.type] as? FileAttributeType == .typeDirectory
            else { continue }
            found.append(root + "/" + path)
        }
        return found.sorted { $0.utf8.count > $1.utf8.count }
    }

    /// Removes them as far as they are empty; true when none is left.
    static func remove(prefix: String) -> Bool {
        let groups = find(prefix: prefix)
        // SAFETY: the string lives as long as the call.
        for group in groups { unsafe rmdir(group) }
        return groups.isEmpty
    }
}
