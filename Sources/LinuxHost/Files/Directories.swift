import CLinux
import Foundation
package import MigrationCore

/// Directories by their path, where only this host's administrator and this program have a hand.
package enum Directories {
    /// Makes the directory with exactly this mode, its parents too where they are missing.
    ///
    /// - Returns: whether it was made; one that is there already keeps its mode.
    @discardableResult
    package static func make(_ path: String, mode: UInt32) throws -> Bool {
        if unsafe mkdir(path, mode) == 0 {
            try setMode(mode, of: path)
            return true
        }
        if errno == EEXIST { return false }
        let parent = parent(of: path)
        guard errno == ENOENT, parent != path else {
            throw GodwitError.kernel("make the directory \(path)")
        }
        try make(parent, mode: mode)
        return try make(path, mode: mode)
    }

    /// Renames within one filesystem.
    ///
    /// - Throws: `nameTaken` if there is something under the new path, `notFound` if nothing under
    ///   the
    ///   old one.
    package static func rename(_ path: String, to newPath: String) throws {
        guard unsafe godwit_rename_new(path, newPath) != 0 else { return }
        switch errno {
        case EEXIST: throw GodwitError(.nameTaken, "there is a \(newPath) already")
        case ENOENT: throw GodwitError(.notFound, "there is no \(path)")
        case EINVAL: try renameAnywhere(path, to: newPath)
        default: throw GodwitError.kernel("rename \(path) to \(newPath)")
        }
    }

    /// On a network filesystem, which does not know how to keep what is there.
    private static func renameAnywhere(_ path: String, to newPath: String) throws {
        guard try FileStatus.of(newPath) == nil else {
            throw GodwitError(.nameTaken, "there is a \(newPath) already")
        }
        guard unsafe Foundation.rename(path, newPath) != 0 else { return }
        guard errno != ENOENT else { throw GodwitError(.notFound, "there is no \(path)") }
        throw GodwitError.kernel("rename \(path) to \(newPath)")
    }

    /// Gives a file a second name.
    ///
    /// - Throws: `nameTaken` if there is something of that name.
    package static func linkFile(_ path: String, at newPath: String) throws {
        guard unsafe Foundation.link(path, newPath) != 0 else { return }
        guard errno != EEXIST else {
            throw GodwitError(.nameTaken, "there is a \(newPath) already")
        }
        throw GodwitError.kernel("link \(path) as \(newPath)")
    }

    /// Makes a symbolic link.
    package static func link(_ target: String, at path: String) throws {
        guard unsafe symlink(target, path) == 0 else {
            throw GodwitError.kernel("make the link \(path)")
        }
    }

    /// Puts a symbolic link in the place of one that is there, or of none, in one step.
    package static func relink(_ target: String, at path: String) throws {
        let fresh = path + ".new"
        guard unsafe unlink(fresh) == 0 || errno == ENOENT else {
            throw GodwitError.kernel("remove \(fresh)")
        }
        try link(target, at: fresh)
        guard unsafe Foundation.rename(fresh, path) == 0 else {
            throw GodwitError.kernel("put \(fresh) in the place of \(path)")
        }
    }

    /// Where a symbolic link leads; nil if there is none.
    package static func target(ofLink path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }

    /// Returns when names that were made in the directory, or went, are so on the disk.
    ///
    /// For a file: when its content is.
    package static func synchronize(_ path: String) throws {
        try Descriptor.open(path, O_RDONLY).synchronize()
    }

    /// Puts a directory in the place of an empty one, in one step.
    package static func replaceEmpty(_ path: String, by replacement: String) throws {
        guard unsafe Foundation.rename(replacement, path) == 0 else {
            throw GodwitError.kernel("put \(replacement) in the place of \(path)")
        }
    }

    /// Lets two paths of one filesystem change places in one step.
    package static func exchange(_ path: String, with other: String) throws {
        guard unsafe godwit_rename_exchange(path, other) == 0 else {
            throw GodwitError.kernel("let \(path) and \(other) change places")
        }
    }

    package static func setMode(_ mode: UInt32, of path: String) throws {
        guard unsafe chmod(path, mode) == 0 else {
            throw GodwitError.kernel("set the mode of \(path)")
        }
    }

    /// Gives a directory owner, group and mode of another.
    package static func setOwnership(of path: String, like other: String) throws {
        guard let status = try FileStatus.of(other) else {
            throw GodwitError(.notFound, "there is no \(other)")
        }
        guard unsafe lchown(path, status.user, status.group) == 0 else {
            throw GodwitError.kernel("change the owner of \(path)")
        }
        try setMode(status.permissions, of: path)
    }

    /// User and group alike.
    package static func setOwner(_ id: UInt32, of path: String) throws {
        guard unsafe lchown(path, id, id) == 0 else {
            throw GodwitError.kernel("set the owner of \(path)")
        }
    }

    /// When it was changed; its access time stays.
    package static func setModified(_ time: FileTime, of path: String) throws {
        // UTIME_OMIT
        let times = [
            timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2),
            timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds)),
        ]
        guard unsafe utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw GodwitError.kernel("set the times of \(path)")
        }
    }

    /// Removes an empty directory; none is no error.
    package static func removeEmpty(_ path: String) throws {
        guard unsafe rmdir(path) != 0, errno != ENOENT else { return }
        throw GodwitError.kernel("remove the directory \(path)")
    }

    /// Names in the directory, but for `.` and `..`; empty if there is no such directory.
    package static func names(in path: String) throws -> [String] {
        var names: [String] = []
        guard let stream = unsafe opendir(path) else {
            if errno == ENOENT { return [] }
            throw GodwitError.kernel("list \(path)")
        }
        // SAFETY: the stream is closed once, after the last use of an entry.
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            guard let first = unsafe godwit_entry_name(entry) else { continue }
            let name = unsafe String(cString: first)
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The directory that holds the path's last component.
    package static func parent(of path: String) -> String {
        let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    /// The path without links, `.` and `..`.
    ///
    /// - Throws: `kernelRefused` if there is nothing.
    package static func canonical(_ path: String) throws -> String {
        guard let resolved = unsafe realpath(path, nil) else {
            throw GodwitError.kernel("find \(path)")
        }
        // SAFETY: realpath(3) allocates the result, which is freed once, after it was copied.
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }
}

/// What the filesystem below a path is and has.
package struct FilesystemFacts: Equatable, Sendable {
    /// Such as `ext4`; the magic number in hexadecimal where it is of no known type.
    package let type: String
    /// Bytes that programs may still fill.
    package let available: ByteCount

    /// Whether other hosts can see it only as part of this one, as containers do: they then see
    /// what was written at once.
    package var isLocal: Bool {
        ["ext4", "btrfs", "xfs", "tmpfs", "zfs", "overlay", "f2fs", "bcachefs"].contains(type)
    }

    /// Whether every change of an inode there shows in its change time. Only for those of which
    /// that is known: zfs-fuse, and f2fs for years, set extended attributes without a trace, and
    /// what a network filesystem says may be old. True where there is nothing, as whoever looks at
    /// it finds out.
    package static func stampsChanges(at path: String) -> Bool {
        guard let type = try? of(path).type else { return true }
        return ["ext4", "btrfs", "xfs", "tmpfs", "zfs", "overlay"].contains(type)
    }

    package static func of(_ path: String) throws -> FilesystemFacts {
        var facts = statfs()
        guard unsafe statfs(path, &facts) == 0 else {
            throw GodwitError.kernel("look at the filesystem of \(path)")
        }
        let magic = UInt64(truncatingIfNeeded: facts.f_type) & 0xFFFF_FFFF
        let free = UInt64(facts.f_bavail).multipliedReportingOverflow(by: UInt64(facts.f_bsize))
        return FilesystemFacts(
            type: types[magic] ?? "0x" + String(magic, radix: 16),
            available: ByteCount(bytes: free.overflow ? .max : free.partialValue))
    }

    /// Returns when all that was written to the filesystem of the path outlives a loss of power.
    package static func flush(at path: String) async throws {
        try await blocking {
            let directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
            let code = withExtendedLifetime(directory) {
                godwit_syncfs(directory.number) == 0 ? 0 : errno
            }
            guard code == 0 else {
                throw GodwitError.kernel("write out the filesystem of \(path)", code: code)
            }
        }
    }

    /// linux/magic.h, and OpenZFS.
    private static let types: [UInt64: String] = [
        0xEF53: "ext4", 0x9123_683E: "btrfs", 0x5846_5342: "xfs", 0x0102_1994: "tmpfs",
        0x2FC1_2FC1: "zfs", 0x794C_7630: "overlay", 0x6969: "nfs", 0x6573_5546: "fuse",
        0xF2F5_2010: "f2fs", 0xCA45_1A4E: "bcachefs",
    ]
}
