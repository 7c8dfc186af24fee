import Foundation

/// The control groups that carry a lab's prefix, on version 1, version 2 and the mixture of both.
package enum LabCgroups {
    private static let root = "/sys/fs/cgroup"

    /// Every cgroup directory whose name begins with the prefix and all below it, deepest first.
    ///
    /// Looked for below each hierarchy's root and one level deeper, where a container manager may
    /// have put this process itself.
    package static func find(prefix: String) -> [String] {
        let places = [root] + folders(in: root)
        let candidates = (places + places.dropFirst().flatMap(folders)).flatMap(folders)
        let tops = Set(candidates.filter { name(of: $0).hasPrefix(prefix) })
        return tops.sorted().flatMap(withAllBelow)
    }

    private static func name(of path: String) -> Substring {
        path.split(separator: "/").last ?? ""
    }

    private static func withAllBelow(_ folder: String) -> [String] {
        folders(in: folder).flatMap(withAllBelow) + [folder]
    }

    private static func folders(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.map { folder + "/" + $0 }.filter { path in
            var isDirectory: ObjCBool = false
            // SAFETY: the flag outlives the call.
            let exists = unsafe FileManager.default.fileExists(
                atPath: path, isDirectory: &isDirectory)
            return exists && isDirectory.boolValue
        }
    }

    /// Removes them as far as they are empty; true when none is left. A task that was frozen when
    /// it was killed dies only once it is thawed.
    static func remove(prefix: String) -> Bool {
        let groups = find(prefix: prefix)
        for group in groups {
            let state = group + "/freezer.state"
            guard FileManager.default.fileExists(atPath: state) else { continue }
            try? Data("THAWED".utf8).write(to: URL(filePath: state))
        }
        // SAFETY: the string lives as long as the call.
        for group in groups { unsafe rmdir(group) }
        return groups.isEmpty
    }
}
