import Foundation
import MigrationCore

/// Content that has to be hashed, once for each inode.
package struct SurveyedContent: Sendable {
    let key: FileKey
    /// Empty where the hash is known.
    fileprivate(set) var path: [UInt8]
    /// As the survey has met it.
    let changed: FileTime
    /// Nil where they may not be remembered.
    let attributes: [UInt8]?
    package fileprivate(set) var hash: ContentHash?
}

/// A content hash and the state of the file under which it holds.
package struct RememberedHash: Sendable {
    let size: Int64
    let modified: FileTime
    let changed: FileTime
    /// When reading began.
    let taken: FileTime
    let hash: ContentHash
    /// What a record says of extended attributes: setting one changes the inode's change time. Nil
    /// if that does not prove that they are the same.
    let attributes: [UInt8]?

    package init(
        size: Int64, modified: FileTime, changed: FileTime, taken: FileTime, hash: ContentHash,
        attributes: [UInt8]? = nil
    ) {
        self.size = size
        self.modified = modified
        self.changed = changed
        self.taken = taken
        self.hash = hash
        self.attributes = attributes
    }

    func with(attributes: [UInt8]?) -> RememberedHash {
        RememberedHash(
            size: size, modified: modified, changed: changed, taken: taken, hash: hash,
            attributes: attributes)
    }

    /// Git's rule for racy files: a file that changed just before it was read may have changed
    /// again within the same tick of its clock, without a trace.
    package func holds(for status: FileStatus) -> Bool {
        size == status.size && modified == status.modified && changed == status.changed
            && changed.isSettled(by: taken)
    }
}

extension FileTime {
    /// Whether any later change of the inode shows another change time than this.
    func isSettled(by moment: FileTime) -> Bool {
        // A kernel tick is at most 10 ms; filesystems that keep whole seconds show no fraction.
        self < moment.earlier(byMilliseconds: nanoseconds == 0 ? 2_100 : 100)
    }
}

/// A walk over the tree: everything but content goes into a hash for each path, content by
/// reference.
package struct TreeSurvey: Sendable {
    /// Before the first look.
    let began = FileTime.now()
    private(set) var records: [(hash: ContentHash, content: Int?)] = []
    package private(set) var contents: [SurveyedContent] = []
    private var firstNames: [FileKey: (path: [UInt8], content: Int?)] = [:]

    /// - Parameter remembersAttributes: not where the change time says nothing of them, nor where
    ///   `root` shows other ids than the tree has, in access lists too.
    package init(
        of root: String, mapped: Set<String>, remembered: [FileKey: RememberedHash],
        remembersAttributes: Bool = true
    ) throws {
        try TreeWalker.walk(root) { entry in
            let first = entry.status.links > 1 ? firstNames[entry.status.key] : nil
            let isRegular = entry.status.kind == .regular
            var known = isRegular ? remembered[entry.status.key] : nil
            if known?.holds(for: entry.status) != true { known = nil }
            let attributes =
                try (remembersAttributes ? known?.attributes : nil)
                ?? TreeRecord.attributes(of: entry)
            var record = TreeRecord(entry, attributes: attributes)
            record.append(first?.path ?? [])
            var content = first?.content
            let isMapped = !mapped.isEmpty && isRegular && mapped.contains(entry.text)
            if isRegular && content == nil {
                content = contents.count
                contents.append(
                    SurveyedContent(
                        key: entry.status.key, path: known == nil || isMapped ? entry.path : [],
                        changed: entry.status.changed,
                        attributes: remembersAttributes ? attributes : nil,
                        hash: isMapped ? nil : known?.hash))
            } else if isMapped, let content, contents[content].hash != nil {
                (contents[content].path, contents[content].hash) = (entry.path, nil)
            }
            if entry.status.links > 1 && entry.status.kind != .directory && first == nil {
                firstNames[entry.status.key] = (entry.path, content)
            }
            records.append((ContentHash(of: record.bytes), content))
        }
        firstNames = [:]
    }
}

/// All that a digest says about one path, but for content, in one unambiguous row of bytes.
///
///     path · kind · permissions · user · group · size · modified · device · link target ·
///     attributes (name, value)… · first path of the same inode
///
/// Variable parts carry their length first. Sizes of directories belong to the filesystem and those
/// of links to their targets; they are left out. Access times do not travel.
struct TreeRecord {
    private(set) var bytes: [UInt8] = []

    init(_ entry: TreeEntry) throws {
        self.init(entry, attributes: try Self.attributes(of: entry))
    }

    /// - Parameter attributes: as below, known already.
    init(_ entry: TreeEntry, attributes: [UInt8]) {
        let status = entry.status
        bytes.reserveCapacity(entry.pathLength + attributes.count + Self.fixedSize)
        append(UInt64(entry.pathLength))
        entry.appendPath(to: &bytes)
        append(UInt64(status.kind.rawValue))
        append(UInt64(status.permissions) << 32)
        append(UInt64(status.user) << 32 | UInt64(status.group))
        append(status.kind == .regular ? UInt64(bitPattern: status.size) : 0)
        append(UInt64(bitPattern: status.modified.seconds))
        append(UInt64(bitPattern: status.modified.nanoseconds))
        append(status.isDevice ? status.deviceNumber : 0)
        append(status.kind == .symbolicLink ? entry.linkTarget() ?? [] : [])
        bytes += attributes
    }

    private init() {}

    /// The part of a record that tells of extended attributes.
    static func attributes(of entry: TreeEntry) throws -> [UInt8] {
        var record = TreeRecord()
        let location = entry.location
        for name in try ExtendedAttributes.names(at: location) where travels(name) {
            guard let value = try ExtendedAttributes.value(of: name, at: location) else { continue }
            // Kept by a filesystem to which access lists are attributes like others; to rsync, and
            // everywhere else, it is the same as none.
            if name == ExtendedAttributes.accessACL, PosixACL.isPlain(value) { continue }
            record.append(name)
            record.append(value)
        }
        return record.bytes
    }

    /// All but what has a length of its own, and room for the empty name at the end.
    private static let fixedSize = 10 * MemoryLayout<UInt64>.size

    /// A mark of something that was removed.
    init(whiteout path: [UInt8]) {
        append(path)
        append(UInt64.max)
    }

    /// A label that the target's own policy writes is not the instance's.
    private static func travels(_ attribute: [UInt8]) -> Bool {
        if attribute == Array("security.selinux".utf8) { return false }
        return !attribute.starts(with: "system.".utf8)
            || attribute == ExtendedAttributes.accessACL
            || attribute == ExtendedAttributes.defaultACL
    }

    mutating func append(_ value: UInt64) {
        // SAFETY: the value's own bytes, for as long as it is there.
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    mutating func append(_ part: [UInt8]) {
        append(UInt64(part.count))
        bytes += part
    }
}
