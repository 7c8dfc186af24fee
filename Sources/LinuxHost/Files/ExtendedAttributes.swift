import CLinux
import Foundation
import MigrationCore

/// The extended attributes of one file, POSIX ACLs and file capabilities among them.
///
/// Files are named by a null-terminated location such as `/proc/self/fd/7/name`: the directory is
/// held open, and the last component is never followed.
enum ExtendedAttributes {
    static let accessACL = Array("system.posix_acl_access".utf8)
    static let defaultACL = Array("system.posix_acl_default".utf8)
    static let capability = Array("security.capability".utf8)

    /// Names in the order of their bytes; none where the filesystem has no attributes or the file
    /// is gone.
    static func names(at location: [CChar]) throws -> [[UInt8]] {
        let list = try unsafe read { buffer, size in unsafe llistxattr(location, buffer, size) }
        guard let list, !list.isEmpty else { return [] }
        return list.split(separator: 0).map { Array($0).map { UInt8(bitPattern: $0) } }
            .sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Nil if there is no such attribute (any more).
    static func value(of name: [UInt8], at location: [CChar]) throws -> [UInt8]? {
        let name = name.map { CChar(bitPattern: $0) } + [0]
        let value = try unsafe read { buffer, size in unsafe lgetxattr(location, name, buffer, size)
        }
        return value?.map { UInt8(bitPattern: $0) }
    }

    static func set(_ name: [UInt8], to value: [UInt8], at location: [CChar]) throws {
        let name = name.map { CChar(bitPattern: $0) } + [0]
        guard unsafe lsetxattr(location, name, value, value.count, 0) == 0 else {
            let text = String(
                decoding: location.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw GodwitError.kernel("set an extended attribute of \(text)")
        }
    }

    /// None of that name is no error.
    static func remove(_ name: [UInt8], at location: [CChar]) throws {
        let name = name.map { CChar(bitPattern: $0) } + [0]
        guard unsafe lremovexattr(location, name) != 0, errno != ENODATA else { return }
        throw GodwitError.kernel("remove an extended attribute")
    }

    /// Calls with growing room: another process may set attributes meanwhile.
    ///
    /// Before Linux 6.2 an ACL is read through an idmapped mount with the ids that it has on the
    /// disk, unless the room is that of a whole number of entries (`posix_acl_xattr_count` in
    /// fs/posix_acl.c is given the room, not the size).
    private static func read(
        _ call: (UnsafeMutablePointer<CChar>?, Int) -> Int
    ) throws -> [CChar]? {
        for room in rooms {
            var count = -1
            let bytes = unsafe [CChar](unsafeUninitializedCapacity: room) { buffer, used in
                count = unsafe call(buffer.baseAddress, room)
                used = max(count, 0)
            }
            if count >= 0 { return bytes }
            switch errno {
            case ERANGE: continue
            case ENODATA, ENOTSUP, ENOENT, ENOTDIR, ELOOP: return nil
            default: throw GodwitError.kernel("read extended attributes")
            }
        }
        throw GodwitError.kernel("read extended attributes")
    }

    /// A head of 4 bytes and entries of 8, twice; `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`.
    private static let rooms = [4 + 8 * 64, 4 + 8 * 8_191, 65_536]
}
