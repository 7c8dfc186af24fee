/// What overlayfs remembers in the attributes `trusted.overlay.…` of the trees that it lays over
/// one another.
package enum OverlayMarks {
    /// Leaves of a tree that nothing uses what means the same over equal trees on any host: that
    /// directories hide those below them. The rest speaks of one mount, or is not the kernel's own.
    ///
    /// - Parameter isLowest: there is nothing to hide.
    package static func clean(_ root: String, isLowest: Bool) async throws {
        try await blocking {
            try TreeWalker.walk(root) { entry in
                for name in try ExtendedAttributes.names(at: entry.location)
                where name.starts(with: prefix) && (isLowest || name != opaque) {
                    try ExtendedAttributes.remove(name, at: entry.location)
                }
            }
        }
    }

    private static let prefix = Array("trusted.overlay.".utf8)
    private static let opaque = Array("trusted.overlay.opaque".utf8)
}
