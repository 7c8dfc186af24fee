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
    private static func read(
        _ call: (UnsafeMutablePointer<CChar>?, Int) -> Int
    ) throws -> [CChar]? {
        var room = 512
        while true {
            var count = -1
            let bytes = unsafe [CChar](unsafeUninitializedCapacity: room) { buffer, used in
                count = unsafe call(buffer.baseAddress, room)
                used = max(count, 0)
            }
            if count >= 0 { return bytes }
            switch errno {
            case ERANGE where room < maximum: room = maximum
            case ENODATA, ENOTSUP, ENOENT, ENOTDIR, ELOOP: return nil
            default: throw GodwitError.kernel("read extended attributes")
            }
        }
    }

    /// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`.
    private static let maximum = 65_536
}
