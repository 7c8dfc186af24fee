import CLinux
import Foundation
import MigrationCore

/// What lstat(2) says of one file.
package struct FileStatus: Equatable, Sendable {
    package enum Kind: UInt8, Sendable {
        case regular, directory, symbolicLink, characterDevice, blockDevice, fifo, socket
    }

    package let key: FileKey
    package let kind: Kind
    /// The twelve permission bits.
    package let permissions: UInt32
    package let user: UInt32
    package let group: UInt32
    package let links: UInt64
    package let size: Int64
    /// Of 512 bytes each, as allocated.
    package let blocks: Int64
    /// Of a device node: which device.
    package let deviceNumber: UInt64
    package let modified: FileTime
    package let changed: FileTime

    init(_ status: stat) {
        key = FileKey(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            case S_IFIFO: .fifo
            case S_IFSOCK: .socket
            default: .regular
            }
        permissions = status.st_mode & 0o7777
        user = status.st_uid
        group = status.st_gid
        links = UInt64(status.st_nlink)
        size = Int64(status.st_size)
        blocks = Int64(status.st_blocks)
        deviceNumber = UInt64(status.st_rdev)
        modified = FileTime(status.st_mtim)
        changed = FileTime(status.st_ctim)
    }

    var isDevice: Bool { kind == .characterDevice || kind == .blockDevice }

    /// The file at the path itself, not where a link leads; nil if there is none.
    ///
    /// - Throws: `kernelRefused` with the path for any other reason.
    package static func of(_ path: String) throws -> FileStatus? {
        var status = stat()
        guard unsafe lstat(path, &status) != 0 else { return FileStatus(status) }
        guard errno == ENOENT || errno == ENOTDIR else {
            throw GodwitError.kernel("look at \(path)")
        }
        return nil
    }

    /// The file where links lead; nil if there is none.
    package static func following(_ path: String) throws -> FileStatus? {
        var status = stat()
        guard unsafe stat(path, &status) != 0 else { return FileStatus(status) }
        guard errno == ENOENT || errno == ENOTDIR else {
            throw GodwitError.kernel("look at \(path)")
        }
        return nil
    }

    /// Of an open file.
    static func of(descriptor: Int32) throws -> FileStatus {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw GodwitError.kernel("look at an open file")
        }
        return FileStatus(status)
    }
}

/// Which file it is, whatever its names.
package struct FileKey: Hashable, Sendable {
    package let device: UInt64
    package let inode: UInt64
}

/// A moment as a filesystem records it.
package struct FileTime: Hashable, Comparable, Sendable {
    package let seconds: Int64
    package let nanoseconds: Int64

    package init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    init(_ time: timespec) {
        self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// The wall clock, which filesystems use too.
    package static func now() -> FileTime {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return FileTime(time)
    }

    /// Since 1970, cut to whole ones.
    package var milliseconds: Int64 { seconds * 1_000 + nanoseconds / 1_000_000 }

    package static func < (left: FileTime, right: FileTime) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    package func earlier(byMilliseconds milliseconds: Int64) -> FileTime {
        let total = self.milliseconds - milliseconds
        let whole = total >= 0 ? total / 1_000 : (total - 999) / 1_000
        return FileTime(
            seconds: whole,
            nanoseconds: (total - whole * 1_000) * 1_000_000 + nanoseconds % 1_000_000)
    }
}
