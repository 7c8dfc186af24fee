/// All that a tree is, path by path, for whoever makes a digest of it.
package enum TreeRecords {
    /// Visits every path, parents first, names in the order of their bytes.
    ///
    /// Marks of what overlayfs has removed are no more than that: owner and times, which they
    /// share among each other, mean nothing.
    ///
    /// - Parameter visit: is given all but content in one unambiguous row of bytes, and the path if
    ///   content belongs to it that no path before has had.
    package static func walk(
        _ root: String, visit: (_ record: [UInt8], _ content: [UInt8]?) throws -> Void
    ) throws {
        var firstNames: [FileKey: [UInt8]] = [:]
        try TreeWalker.walk(root) { entry in
            let status = entry.status
            guard !status.isWhiteout else {
                return try visit(TreeRecord(whiteout: entry.path).bytes, nil)
            }
            var first: [UInt8]?
            if status.links > 1 && status.kind != .directory {
                first = firstNames[status.key]
                if first == nil { firstNames[status.key] = entry.path }
            }
            var record = try TreeRecord(entry)
            record.append(first ?? [])
            let hasContent = status.kind == .regular && first == nil
            try visit(record.bytes, hasContent ? entry.path : nil)
        }
    }
}

extension FileStatus {
    /// How overlayfs marks a name of a lower tree as removed: a character device 0, 0.
    var isWhiteout: Bool { kind == .characterDevice && deviceNumber == 0 }
}
