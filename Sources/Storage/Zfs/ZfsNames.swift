import MigrationCore

/// What a pool's datasets are called.
///
///     PARENT / volumes                never mounted, marked as this pool's
///                / NAME               never mounted
///                   / rootfs          the volume, mounted at its place in the layout
///                   / fresh-HEX       arriving, or made of a snapshot
///                   / old-HEX         what was the volume before, and has snapshots that are kept
///                   / view-SNAPSHOT   a snapshot's tree, while somebody reads it
///                / .kept              never mounted, made with the first copy
///                   / COPY            what was a volume, with all that was below it
struct ZfsNames: Sendable {
    let parent: String

    var volumes: String { "\(parent)/volumes" }
    func place(of volume: String) -> String { "\(volumes)/\(volume)" }
    var kept: String { "\(volumes)/.kept" }
    /// For names that a peer or an operator may have made up.
    func place(ofKept copy: String) throws -> String {
        try VolumeLayout.require(copy, toName: "a kept copy")
        return "\(kept)/\(copy)"
    }
    func head(of volume: String) -> String { "\(place(of: volume))/\(Self.head)" }
    func view(of snapshot: String, in volume: String) -> String {
        "\(place(of: volume))/\(Self.view)\(snapshot)"
    }
    func fresh(of volume: String) -> String {
        "\(place(of: volume))/\(Self.fresh)\(randomDigits())"
    }
    func old(of volume: String) -> String { "\(place(of: volume))/\(Self.old)\(randomDigits())" }

    static let head = "rootfs"
    static let fresh = "fresh-"
    static let old = "old-"
    static let view = "view-"
    /// Of snapshots: those of moves under way, those that are kept, and those that are deleted but
    /// of which a dataset was made that is still there.
    static let pass = "godwit-" + PassNote.prefix
    static let kept = "godwit-snapshot-"
    static let gone = "godwit-gone-"

    static func newPass() -> String { "godwit-" + PassNote.newName() }
    /// Whether a snapshot, after the `@`, is called as one of a move.
    static func isPass(_ name: String) -> Bool {
        name.hasPrefix(pass) && PassNote.isName(String(name.dropFirst("godwit-".count)))
    }
    static func newGone() -> String { gone + randomDigits() }

    /// - Throws: `badRequest` where ZFS would not take what volumes are called.
    func require(_ volume: String) throws {
        // 256 bytes, with the null byte at the end.
        let longest = place(of: volume).utf8.count + Self.kept.utf8.count + 102
        guard longest < 256 else {
            throw GodwitError(
                .badRequest, "the name \(volume) is too long for datasets below \(parent)",
                remedy: "choose a shorter one")
        }
    }
}

/// What there is of one volume.
struct ZfsVolume: Sendable {
    struct Dataset: Sendable {
        /// Without its parents' names.
        let name: String
        let path: String
        let mountpoint: String
        let referenced: ByteCount
    }

    struct Snapshot: Sendable {
        /// After the `@`.
        let name: String
        let path: String
        /// Of the dataset that it is of, without its parents' names.
        let dataset: String
        /// The same wherever the snapshot was sent to.
        let guid: String
        let referenced: ByteCount
    }

    private(set) var exists = false
    /// Whether somebody else has made something of it.
    private(set) var holdsOthers = false
    private(set) var datasets: [Dataset] = []
    /// Of each dataset in the order in which they were made.
    private(set) var snapshots: [Snapshot] = []

    static let properties = ["guid", "referenced", "mountpoint"]

    /// - Parameter text: what `zfs get` says of the volume's place and all below it.
    init(_ text: String, below place: String) {
        var known: [String: [String: String]] = [:]
        var order: [String] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: "\t", omittingEmptySubsequences: false)
                .map(String.init)
            guard words.count == 3 else { continue }
            if known[words[0]] == nil { order.append(words[0]) }
            known[words[0], default: [:]][words[1]] = words[2]
        }
        exists = known[place] != nil
        holdsOthers = exists && known[place]?["mountpoint"] != "none"
        for path in order {
            guard path.hasPrefix(place + "/"), let values = known[path] else { continue }
            let parts = path.dropFirst(place.count + 1).split(separator: "@", maxSplits: 1)
                .map(String.init)
            let referenced = ByteCount(bytes: values["referenced"].flatMap(UInt64.init) ?? 0)
            let own = [ZfsNames.fresh, ZfsNames.old, ZfsNames.view]
            if parts[0] != ZfsNames.head && !own.contains(where: { parts[0].hasPrefix($0) }) {
                holdsOthers = true
            }
            if parts.count == 2 {
                snapshots.append(
                    Snapshot(
                        name: parts[1], path: path, dataset: parts[0],
                        guid: values["guid"] ?? "", referenced: referenced))
            } else {
                datasets.append(
                    Dataset(
                        name: parts[0], path: path, mountpoint: values["mountpoint"] ?? "",
                        referenced: referenced))
            }
        }
    }

    var head: Dataset? { datasets.first { $0.name == ZfsNames.head } }
    func datasets(_ prefix: String) -> [Dataset] { datasets.filter { $0.name.hasPrefix(prefix) } }
    func snapshots(of dataset: String) -> [Snapshot] { snapshots.filter { $0.dataset == dataset } }
    /// Those that are kept, by the names that they were given.
    var kept: [String: Snapshot] {
        Dictionary(
            snapshots.filter { $0.name.hasPrefix(ZfsNames.kept) }
                .map { (String($0.name.dropFirst(ZfsNames.kept.count)), $0) },
            uniquingKeysWith: { $1 })
    }
}
