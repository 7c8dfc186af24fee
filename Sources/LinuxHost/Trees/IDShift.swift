import CLinux
import Foundation
package import MigrationCore

/// Gives a tree, owned as an image or the source of a migration says, to the host ids under which
/// the instance will see it so.
///
/// Not idempotent: a second run shifts again. For a fresh tree that nothing uses yet.
package struct IDShift: Sendable {
    private enum Rule: Sendable {
        case inward(IDMap, leavesShifted: Bool)
        case change(IDChange)
    }

    private let rule: Rule

    /// - Throws: `badRequest` if the map leaves the range of ids.
    package init(_ map: IDMap) throws { try self.init(map, leavesShifted: false) }

    /// - Parameter leavesShifted: ids that an instance with the map has on the host stay as they
    ///   are. Only for maps that lie above the ids that they are for.
    /// - Throws: `badRequest` if the map leaves the range of ids.
    package init(_ map: IDMap, leavesShifted: Bool) throws {
        precondition(!leavesShifted || map.isAboveItself, "shifted ids cannot be told from others")
        let (end, overflow) = map.hostStart.addingReportingOverflow(map.count)
        guard !overflow, map.count > 0, end < UInt32.max else {
            throw GodwitError(
                .badRequest, "\(map.count) ids from \(map.hostStart) do not fit below 4294967295",
                remedy: "choose a lower start or fewer ids in the host's id range")
        }
        rule = .inward(map, leavesShifted: leavesShifted)
    }

    /// From the source's ids to those of the target.
    package init(_ change: IDChange) { rule = .change(change) }

    /// Shifts owners, ACL entries and the root ids of file capabilities, once for each inode;
    /// permission bits, set-user-id among them, stay as they are.
    ///
    /// - Throws: `badRequest` with the path of a file whose id is outside of the image's.
    package func apply(to root: String) async throws {
        try await blocking { [self] in
            var seen: Set<FileKey> = []
            try TreeWalker.walk(root) { entry in
                let status = entry.status
                if status.links > 1 && status.kind != .directory
                    && !seen.insert(status.key).inserted
                {
                    return
                }
                try shift(entry)
            }
        }
    }

    private func shift(_ entry: TreeEntry) throws {
        let user = try hostID(entry.status.user, "user", entry)
        let group = try hostID(entry.status.group, "group", entry)
        let attributes = try shiftedAttributes(of: entry)
        let held = try entry.hold()
        guard godwit_chown_descriptor(held.number, user, group) == 0 else {
            throw GodwitError.kernel("change the owner of \(entry.text)")
        }
        // chown(2) clears these two bits and the capabilities, whoever calls it.
        if entry.status.permissions & 0o6000 != 0 && entry.status.kind != .symbolicLink {
            let path = "/proc/self/fd/\(held.number)"
            guard unsafe chmod(path, entry.status.permissions) == 0 else {
                throw GodwitError.kernel("restore the mode of \(entry.text)")
            }
        }
        for (name, value) in attributes {
            try ExtendedAttributes.set(name, to: value, at: entry.location)
        }
    }

    private func shiftedAttributes(
        of entry: TreeEntry
    ) throws -> [(name: [UInt8], value: [UInt8])] {
        let location = entry.location
        var shifted: [([UInt8], [UInt8])] = []
        for name in try ExtendedAttributes.names(at: location) {
            let isACL =
                name == ExtendedAttributes.accessACL || name == ExtendedAttributes.defaultACL
            guard isACL || name == ExtendedAttributes.capability,
                let value = try ExtendedAttributes.value(of: name, at: location)
            else { continue }
            let new =
                if isACL {
                    try PosixACL.shifted(value) { try hostID($0, "ACL", entry) }
                } else {
                    try FileCapability.shifted(value, root: try hostID(0, "root", entry)) {
                        try hostID($0, "root", entry)
                    }
                }
            guard let new else {
                throw GodwitError(
                    .badRequest, "\(entry.text) has an ACL or capability of an unknown format",
                    remedy: "remove it from the image with setfacl -b or setcap -r")
            }
            shifted.append((name, new))
        }
        return shifted
    }

    private func hostID(_ id: UInt32, _ what: String, _ entry: TreeEntry) throws -> UInt32 {
        switch rule {
        case .change(let change): return change.onTarget(id)
        case .inward(let map, let leavesShifted):
            if leavesShifted, id >= map.hostStart, id - map.hostStart < map.count { return id }
            return try hostID(id, in: map, what, entry)
        }
    }

    private func hostID(
        _ id: UInt32, in map: IDMap, _ what: String, _ entry: TreeEntry
    ) throws -> UInt32 {
        guard id < map.count else {
            throw GodwitError(
                .badRequest,
                "\(entry.text) has the \(what) id \(id), but the instance has \(map.count) ids",
                remedy: "change its owner in the image, or launch the instance with --privileged")
        }
        return map.hostStart + id
    }
}

extension IDMap {
    /// Whether no id of an instance is also one of its ids on the host.
    package var isAboveItself: Bool { hostStart >= count }
}
