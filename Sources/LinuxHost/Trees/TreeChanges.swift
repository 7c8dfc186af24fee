import CLinux
import Foundation
import MigrationCore

/// What has changed in a tree since a moment, as the change times of its inodes tell: unlike times
/// of modification they cannot be set back by who owns the files.
package struct TreeChanges: Sendable {
    /// Paths of regular files below the root, without a leading slash, whose content has to be
    /// compared although size and modification time may be equal: their inodes have changed, or
    /// they are mapped, or their directory was not there when the tree was looked at before; with
    /// all other names of these inodes.
    package private(set) var suspects: [[UInt8]] = []
    /// Which directory was where.
    package private(set) var directories = KnownDirectories()
    /// All that is to be looked at so that a copy of the tree from that moment becomes what it is
    /// now: `./path`, or `./path/` with all names that are in that directory, but nothing below
    /// those. Nil where the whole tree has to be looked at.
    ///
    /// What is made, removed or renamed changes its directory, and a directory that is renamed
    /// changes itself and the one that it comes into: one that has changed in one that has changed
    /// may have come from elsewhere, and all below it is named. Of an inode with several names of
    /// which one is named, all are, as nothing else would show that they are one.
    package private(set) var places: [[UInt8]]? = []

    private var size = 0
    /// The directories that lead to what is met.
    private var above: [Above] = []
    private var linked: [Name] = []
    private var linksNamed: Set<FileKey> = []
    private var linksSuspected: Set<FileKey> = []

    private struct Above {
        let isNews: Bool
        /// It, or one above it, may have come from elsewhere.
        let mayBeMoved: Bool
        /// And has.
        let isMoved: Bool
    }

    private struct Name {
        let path: [UInt8]
        let key: FileKey
        let isRegular: Bool
        let isNamed: Bool
        let isSuspect: Bool
    }

    /// - Parameters:
    ///   - mapped: files whose content may have changed without a trace, as `/a/b`; one that stands
    ///     for bytes that are not UTF-8 means every path shown so.
    ///   - known: the directories of before; nil if nobody has looked.
    ///   - layers: there if `root` is only the part of the tree in which everything is that can
    ///     have changed, the upper layer of an overlay: those below it. What may have been moved,
    ///     and what has several names, is not all there.
    package static func find(
        below root: String, since moment: FileTime, mapped: Set<String>,
        known: KnownDirectories? = nil, layers: [String]? = nil
    ) async throws -> TreeChanges {
        try await blocking {
            var changes = TreeChanges()
            let below = try layers?.map { try RootedFiles($0) }
            try TreeWalker.walk(root) { entry in
                try changes.meet(entry, since: moment, mapped: mapped, known: known, below)
            }
            changes.addOtherNames()
            return changes
        }
    }

    private mutating func meet(
        _ entry: TreeEntry, since moment: FileTime, mapped: Set<String>,
        known: KnownDirectories?, _ layers: [RootedFiles]?
    ) throws {
        let status = entry.status
        let isNews = Self.isNews(status.changed, since: moment)
        above.removeSubrange(entry.depth...)
        let parent = above.last
        guard status.kind != .directory else {
            let mayBeMoved = parent?.mayBeMoved == true || (isNews && parent?.isNews == true)
            let path = entry.depth == 0 ? [] : entry.path + [0x2f]
            let isKnown = directories.add(path, status.key, to: known)
            above.append(
                Above(
                    isNews: isNews, mayBeMoved: mayBeMoved, isMoved: mayBeMoved && !isKnown))
            if layers != nil && mayBeMoved { places = nil }
            if isNews || mayBeMoved { name(path) }
            return
        }
        let isRegular = status.kind == .regular
        let isMapped = isRegular && !mapped.isEmpty && mapped.contains(entry.text)
        let isSuspect = isRegular && (isNews || isMapped || parent?.isMoved == true)
        if isSuspect { suspects.append(entry.path) }
        let isNamed = isNews || isSuspect
        if isNamed { name(entry.path) }
        if isNamed, let layers, try hasOtherNames(entry, in: layers) { places = nil }
        guard status.links > 1 else { return }
        if isNamed || parent?.mayBeMoved == true { linksNamed.insert(status.key) }
        if isSuspect { linksSuspected.insert(status.key) }
        linked.append(
            Name(
                path: entry.path, key: status.key, isRegular: isRegular, isNamed: isNamed,
                isSuspect: isSuspect))
    }

    /// Whether a file of the upper layer has other names there, or had them before it was copied
    /// up: a target that is no overlay still has these as names of one inode.
    private func hasOtherNames(_ entry: TreeEntry, in layers: [RootedFiles]) throws -> Bool {
        // Marks of what was removed are one inode, and not in the tree.
        let isWhiteout = entry.status.kind == .characterDevice && entry.status.deviceNumber == 0
        if isWhiteout { return false }
        if entry.status.links > 1 { return true }
        guard entry.status.kind == .regular else { return false }
        for layer in layers {
            guard let held = try layer.regularFile(at: entry.path) else { continue }
            if try FileStatus.of(descriptor: held.number).links > 1 { return true }
        }
        return false
    }

    private mutating func addOtherNames() {
        for other in linked {
            if !other.isNamed && linksNamed.contains(other.key) { name(other.path) }
            if other.isRegular && !other.isSuspect && linksSuspected.contains(other.key) {
                suspects.append(other.path)
            }
        }
        (above, linked, linksNamed, linksSuspected) = ([], [], [], [])
    }

    private mutating func name(_ path: [UInt8]) {
        guard places != nil else { return }
        size += path.count + 3
        guard size <= Limit.passList.bytes else {
            places = nil
            return
        }
        places?.append([0x2e, 0x2f] + path)
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

/// Which directory was where when a tree was looked at: one that is known has not come from
/// elsewhere since, unless it has left and come back.
package struct KnownDirectories: Equatable, Sendable {
    private var marks: Set<Int> = []

    /// - Returns: whether it was there before, as far as anybody knows.
    fileprivate mutating func add(
        _ path: [UInt8], _ key: FileKey, to known: KnownDirectories?
    ) -> Bool {
        var hasher = Hasher()
        hasher.combine(path)
        hasher.combine(key)
        let mark = hasher.finalize()
        marks.insert(mark)
        return known?.marks.contains(mark) ?? true
    }

    /// What was there both times.
    package func intersection(_ other: KnownDirectories) -> KnownDirectories {
        var both = KnownDirectories()
        both.marks = marks.intersection(other.marks)
        return both
    }
}
