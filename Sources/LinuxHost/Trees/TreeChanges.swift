import CLinux
import Foundation
import MigrationCore

/// Files whose content has to be compared although size and modification time may be equal.
package enum TreeChanges {
    /// Paths of regular files below `root`, without a leading slash, whose inode has changed since,
    /// or that are `mapped` (as `/a/b`; one that stands for bytes that are not UTF-8 means every
    /// path shown so), with all other names of these inodes.
    ///
    /// The inode's change time, unlike the modification time, cannot be set back by who owns the
    /// file.
    package static func suspects(
        below root: String, changedSince moment: FileTime, mapped: Set<String>
    ) async throws -> [[UInt8]] {
        try await blocking {
            var suspects: [[UInt8]] = []
            var others: [(path: [UInt8], key: FileKey)] = []
            var keys: Set<FileKey> = []
            try TreeWalker.walk(root) { entry in
                guard entry.status.kind == .regular else { return }
                let isMapped = !mapped.isEmpty && mapped.contains(entry.text)
                if isNews(entry.status.changed, since: moment) || isMapped {
                    suspects.append(entry.path)
                    if entry.status.links > 1 { keys.insert(entry.status.key) }
                } else if !mapped.isEmpty && entry.status.links > 1 {
                    others.append((entry.path, entry.status.key))
                }
            }
            return suspects + others.filter { keys.contains($0.key) }.map(\.path)
        }
    }

    /// Whether any inode of the tree has changed since: what is made, removed or renamed changes
    /// its directory's. Ends with the first that is found.
    package static func areThereAny(below root: String, since moment: FileTime) async throws -> Bool
    {
        struct Found: Error {}
        return try await blocking {
            do {
                try TreeWalker.walk(root) { entry in
                    if isNews(entry.status.changed, since: moment) { throw Found() }
                }
                return false
            } catch is Found {
                return true
            }
        }
    }

    /// A time without a fraction may come from a filesystem that keeps none: it is given two
    /// seconds.
    private static func isNews(_ changed: FileTime, since moment: FileTime) -> Bool {
        changed >= (changed.nanoseconds == 0 ? moment.earlier(byMilliseconds: 2_000) : moment)
    }

    /// Makes rsync compare the content of these files: their modification times become one that no
    /// other file is likely to have. Paths that name no regular file below the root are passed
    /// over.
    ///
    /// - Parameter paths: what a peer says; nothing outside of `root` can be reached by it.
    package static func distrust(_ paths: [[UInt8]], below root: String) async throws {
        try await blocking {
            let files = try RootedFiles(root)
            for path in paths {
                guard let held = try files.regularFile(at: path) else { continue }
                let times = [timespec](repeating: unlikely, count: 2)
                let location = "/proc/self/fd/\(held.number)"
                guard unsafe utimensat(AT_FDCWD, location, times, 0) == 0 else {
                    throw GodwitError.kernel("set the times of a file of the volume")
                }
            }
        }
    }

    private static let unlikely = timespec(tv_sec: 86_399, tv_nsec: 123_456_789)
}
