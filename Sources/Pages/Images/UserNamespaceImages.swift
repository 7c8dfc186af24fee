import Foundation
import LinuxHost
package import MigrationCore

/// CRIU's `userns-ID.img`: which host ids those of a user namespace are.
///
///     magic u32 · magic u32 · size u32 · message { 1 users, 2 groups }
///     each { 1 first id inside, 2 first id on the host, 3 count }
///
/// It is the only place for host ids among CRIU's images: all others hold ids as the namespace has
/// them (tasks, files in memory, sockets, semaphores), or are not made (control groups).
package enum UserNamespaceImages {
    /// Has CRIU restore under the host ids of this host, whatever those are under which it dumped.
    ///
    /// - Parameter map: nil for an instance without a user namespace.
    /// - Returns: the host ids under which it dumped.
    /// - Throws: `restoreFailed` for images of an instance with another number of ids, or for what
    ///   CRIU does not write for ours.
    @discardableResult
    package static func rewrite(in directory: String, to map: IDMap?) throws -> IDMap? {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { $0.hasPrefix("userns-") && $0.hasSuffix(".img") }
        guard names.count == (map == nil ? 0 : 1) else {
            throw GodwitError(
                .restoreFailed,
                "the process images have \(names.count) user namespaces, the instance has "
                    + (map == nil ? "none" : "one"),
                remedy: "move the instance cold, or start it with --stateless")
        }
        guard let map, let name = names.first else { return nil }
        let path = "\(directory)/\(name)"
        let former = try UserNamespaceImage.map(in: SmallFile.bytes(path), path)
        guard former.count == map.count else {
            throw GodwitError(
                .restoreFailed,
                "the process images have \(former.count) ids, the instance has \(map.count)",
                remedy: "move the instance cold, or start it with --stateless")
        }
        if former != map {
            // In place: the file keeps its mode.
            try Data(UserNamespaceImage.bytes(of: map)).write(to: URL(filePath: path))
        }
        return former
    }
}

private enum UserNamespaceImage {
    static let magic: [UInt8] = [0x19, 0x43, 0x56, 0x54, 0x06, 0x49, 0x47, 0x55]

    static func bytes(of map: IDMap) -> [UInt8] {
        let fields: [(number: UInt8, value: UInt32)] = [
            (1, 0), (2, map.hostStart), (3, map.count),
        ]
        let extent = fields.flatMap { [$0.number << 3] + varint($0.value) }
        let length = UInt8(extent.count)
        let message = [1 << 3 | 2, length] + extent + [2 << 3 | 2, length] + extent
        return magic + [UInt8(message.count), 0, 0, 0] + message
    }

    static func map(in bytes: [UInt8], _ path: String) throws -> IDMap {
        var reader = Reader(rest: bytes[...], path: path)
        guard try reader.take(8) == magic[...] else { throw reader.unknown() }
        let size = try reader.take(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        var message = Reader(rest: try reader.take(Int(size)), path: path)
        guard reader.rest.isEmpty else { throw reader.unknown() }
        // One extent of users, and the same of groups, as runc makes it.
        let users = try message.extent(field: 1)
        let groups = try message.extent(field: 2)
        guard message.rest.isEmpty, users == groups else { throw reader.unknown() }
        return users
    }

    private static func varint(_ value: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest > 0x7F {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}

private struct Reader {
    var rest: ArraySlice<UInt8>
    let path: String

    mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw unknown() }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    /// The ids from 0 on.
    mutating func extent(field: UInt32) throws -> IDMap {
        guard try varint() == field << 3 | 2 else { throw unknown() }
        var extent = Reader(rest: try take(Int(try varint())), path: path)
        var values: [UInt32] = []
        for field in UInt32(1)...3 {
            guard try extent.varint() == field << 3 else { throw unknown() }
            values.append(try extent.varint())
        }
        let map = IDMap(hostStart: values[1], count: values[2])
        guard extent.rest.isEmpty, values[0] == 0, map.isPossible else { throw unknown() }
        return map
    }

    private mutating func varint() throws -> UInt32 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 35, by: 7) {
            guard let byte = try take(1).first else { throw unknown() }
            value |= UInt64(byte & 0x7F) << shift
            guard byte & 0x80 == 0 else { continue }
            guard let word = UInt32(exactly: value) else { throw unknown() }
            return word
        }
        throw unknown()
    }

    func unknown() -> GodwitError {
        GodwitError(
            .restoreFailed, "\(path) has another form than CRIU 4.2 gives it",
            remedy: "install CRIU 4.2, or a Godwit that knows the newer one")
    }
}
