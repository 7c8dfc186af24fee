import LinuxHost
import MigrationCore

/// A tree of changes and the layers that lie below it, in one directory:
///
///     0700 / upper      what differs from the layers
///          / work       the kernel's own
///          / layers     their digests, the lowest first, one a line
struct LayerStack: Sendable {
    let directory: String

    var upper: String { "\(directory)/upper" }
    var work: String { "\(directory)/work" }
    private var record: String { "\(directory)/layers" }

    /// Whether all of it has been made.
    var isThere: Bool { get throws { try FileStatus.of(record) != nil } }

    /// - Throws: `stateUnreadable` if the record is missing or no list of digests.
    var layers: [BlobDigest] {
        get throws {
            guard let text = try? SmallFile.text(record) else { throw unreadable }
            let words = text.split(separator: "\n")
            let digests = words.compactMap { try? BlobDigest(String($0)) }
            guard digests.count == words.count, digests.count <= Limit.overlayLayers else {
                throw unreadable
            }
            return digests
        }
    }

    /// Makes what is missing; an upper tree that is there stays as it is.
    func make(over layers: [BlobDigest]) throws {
        try Directories.make(directory, mode: 0o700)
        try Directories.make(upper, mode: 0o755)
        try Directories.make(work, mode: 0o700)
        try write(layers)
    }

    /// Nothing is mounted upon it.
    func write(_ layers: [BlobDigest]) throws {
        precondition(layers.count <= Limit.overlayLayers, "\(layers.count) layers in a stack")
        let text = layers.map { "\($0)\n" }.joined()
        try SmallFile.replace(record, with: Array(text.utf8))
        try Directories.synchronize(record)
    }

    private var unreadable: GodwitError {
        GodwitError(
            .stateUnreadable, "\(record) does not say over which layers its tree lies",
            remedy: "restore the pool's directory from a backup")
    }
}
