import CLinux
import Foundation
import MigrationCore

/// A subvolume of a btrfs, as the kernel knows it.
package struct Subvolume: Equatable, Sendable {
    package let id: UInt64
    /// The transaction in which it was made. What is newer has changed since.
    package let made: UInt64
    package let isReadOnly: Bool
    /// 32 hexadecimal digits in lower case.
    package let uuid: String
    /// Of the subvolume on another host whose content it was given.
    package let received: String?

    /// What its content is called on every host that has it; only what is read-only keeps it.
    package var origin: String { received ?? uuid }

    private init(_ found: godwit_subvolume) {
        id = found.id
        made = found.made
        isReadOnly = found.is_read_only != 0
        let uuid = unsafe withUnsafeBytes(of: found.uuid) { unsafe Array($0) }
        let received = unsafe withUnsafeBytes(of: found.received) { unsafe Array($0) }
        self.uuid = uuid.hexadecimal
        self.received = received.allSatisfy { $0 == 0 } ? nil : received.hexadecimal
    }

    /// The subvolume whose root is at the path; nil if there is none.
    package static func at(_ path: String) throws -> Subvolume? {
        guard let status = try FileStatus.of(path), status.isSubvolumeRoot else { return nil }
        let root = try hold(path)
        var found = godwit_subvolume()
        // A descriptor may be closed after its last use, before the call that has its number.
        let result = withExtendedLifetime(root) {
            unsafe godwit_btrfs_look(root.number, &found)
        }
        // What is no btrfs may have an inode of that number too.
        if [-ENOTTY, -EINVAL, -EOPNOTSUPP].contains(result) { return nil }
        try check(result, "look at the subvolume \(path)")
        return Subvolume(found)
    }

    /// Makes an empty one.
    package static func create(_ path: String) throws {
        let parent = try hold(Directories.parent(of: path))
        let result = withExtendedLifetime(parent) {
            unsafe godwit_btrfs_create(parent.number, name(of: path))
        }
        try check(result, "make the subvolume \(path)")
    }

    /// Keeps a subvolume as it is now under a second path. Returns when that is on disk.
    package static func snapshot(
        _ path: String, to newPath: String, isReadOnly: Bool
    ) throws {
        let root = try hold(path)
        let parent = try hold(Directories.parent(of: newPath))
        let result = withExtendedLifetime((root, parent)) {
            unsafe godwit_btrfs_snapshot(
                parent.number, name(of: newPath), root.number, isReadOnly ? 1 : 0)
        }
        try check(result, "make a snapshot of \(path)")
    }

    /// Removes the subvolume and all that lie in it. None is no error.
    ///
    /// - Throws: `limitExceeded` if there are more than `Limit.nestedSubvolumes`.
    package static func remove(_ path: String) throws {
        guard let subvolume = try at(path) else { return }
        let parent = try hold(Directories.parent(of: path))
        var all = [subvolume.id]
        var next = 0
        while next < all.count {
            all += try nested(in: all[next], through: parent)
            next += 1
            guard all.count <= Limit.nestedSubvolumes else {
                throw GodwitError(
                    .limitExceeded,
                    "more than \(Limit.nestedSubvolumes) subvolumes lie in \(path)",
                    remedy: "remove them with `btrfs subvolume delete`")
            }
        }
        for id in all.reversed() {
            let result = withExtendedLifetime(parent) {
                godwit_btrfs_destroy(parent.number, id)
            }
            if result != -ENOENT { try check(result, "remove the subvolume \(path)") }
        }
    }

    /// Whether others lie in it, which no snapshot of it holds.
    package static func holdsOthers(_ path: String) throws -> Bool {
        guard let subvolume = try at(path) else { return false }
        let root = try hold(path)
        var number: UInt64 = 0
        let result = withExtendedLifetime(root) {
            unsafe godwit_btrfs_nested(root.number, subvolume.id, 0, &number, 1)
        }
        try check(result, "look for subvolumes in \(path)")
        return result > 0
    }

    /// Whether anything in the snapshot is newer than the transaction, but for its being made.
    package static func hasChanged(_ snapshot: String, since transaction: UInt64) throws -> Bool {
        guard let subvolume = try at(snapshot) else {
            throw GodwitError(.notFound, "there is no snapshot \(snapshot)")
        }
        let root = try hold(snapshot)
        let result = withExtendedLifetime(root) {
            godwit_btrfs_changed(root.number, subvolume.id, transaction)
        }
        try check(result, "look for changes in \(snapshot)")
        return result > 0
    }

    /// The newest version of the send stream that the kernel has: 0 without btrfs, 2 with encoded
    /// writes.
    package static var kernelStreams: Int {
        guard SmallFile.exists("/sys/fs/btrfs/features") else { return 0 }
        return smallWord("/sys/fs/btrfs/features/send_stream_version").flatMap { Int($0) } ?? 1
    }

    private static func nested(in id: UInt64, through parent: Descriptor) throws -> [UInt64] {
        var all: [UInt64] = []
        var numbers = [UInt64](repeating: 0, count: 256)
        while all.count <= Limit.nestedSubvolumes {
            let count = unsafe godwit_btrfs_nested(
                parent.number, id, all.last ?? 0, &numbers, numbers.count)
            try check(count, "look for subvolumes in a subvolume")
            guard count > 0 else { break }
            all += numbers.prefix(Int(count))
        }
        return all
    }

    private static func hold(_ path: String) throws -> Descriptor {
        try Descriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    private static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? ""
    }

    private static func check(_ result: Int32, _ action: String) throws {
        guard result < 0 else { return }
        throw GodwitError.kernel(action, code: -result)
    }
}

extension FileStatus {
    /// Whether it has the number of every subvolume's root (`BTRFS_FIRST_FREE_OBJECTID`); nothing
    /// else in a btrfs has it.
    fileprivate var isSubvolumeRoot: Bool { kind == .directory && key.inode == 256 }
}
