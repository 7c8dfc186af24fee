/// The value of `system.posix_acl_access` and `..._default`, as linux/posix_acl_xattr.h draws it.
///
///     version: u32 = 2 | (tag: u16, permissions: u16, id: u32)…     little-endian
package enum PosixACL {
    /// Whether it says no more than the permissions do, of the owner, the group and all others.
    package static func isPlain(_ value: [UInt8]) -> Bool {
        guard value.count == 28, word(value, at: 0) == 2 else { return false }
        let tags = stride(from: 4, to: value.count, by: 8)
            .map { UInt16(value[$0]) | UInt16(value[$0 + 1]) << 8 }
        return tags == [0x01, 0x04, 0x20]
    }

    /// Nil if the value is of another format.
    package static func shifted(
        _ value: [UInt8], by shift: (UInt32) throws -> UInt32
    ) rethrows -> [UInt8]? {
        guard value.count >= 4, value.count % 8 == 4, word(value, at: 0) == 2 else { return nil }
        var result = value
        for start in stride(from: 4, to: value.count, by: 8) {
            let tag = UInt16(value[start]) | UInt16(value[start + 1]) << 8
            // ACL_USER and ACL_GROUP are the tags whose entries name an id.
            guard tag == 0x02 || tag == 0x08 else { continue }
            put(try shift(word(value, at: start + 4)), in: &result, at: start + 4)
        }
        return result
    }
}

/// The value of `security.capability`, as linux/capability.h draws it.
///
///     revision, effective bit: u32 | (permitted: u32, inheritable: u32) × 2 | root id: u32
///
/// Revision 1 has one pair, and only revision 3 the root id.
package enum FileCapability {
    /// The same capabilities for the user namespace whose root is `root`, in revision 3; nil if the
    /// value is of another format.
    package static func shifted(
        _ value: [UInt8], root: UInt32, by shift: (UInt32) throws -> UInt32
    ) rethrows -> [UInt8]? {
        guard value.count >= 4 else { return nil }
        let revision = word(value, at: 0) & 0xFF00_0000
        var result = value
        switch (revision, value.count) {
        case (0x0100_0000, 12): result += [UInt8](repeating: 0, count: 12)
        case (0x0200_0000, 20): result += [0, 0, 0, 0]
        case (0x0300_0000, 24): break
        default: return nil
        }
        result[3] = 0x03
        put(revision == 0x0300_0000 ? try shift(word(value, at: 20)) : root, in: &result, at: 20)
        return result
    }
}

private func word(_ bytes: [UInt8], at start: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
}

private func put(_ value: UInt32, in bytes: inout [UInt8], at start: Int) {
    for index in 0..<4 {
        bytes[start + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
    }
}
