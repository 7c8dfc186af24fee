import CLinux
import Foundation
import MigrationCore

/// One file of a tree, as the walk meets it. Only valid while it is being visited.
package struct TreeEntry {
    package let status: FileStatus
    /// Of the directory, with `/` at its end; empty in the root. Shared by all names in it.
    private let prefix: [UInt8]
    /// Of the root 0, of what is in it 1.
    let depth: Int
    private let directory: Int32
    private let name: [CChar]

    /// One that is not the root.
    fileprivate init(
        prefix: [UInt8], depth: Int, status: FileStatus, directory: Int32, name: [CChar]
    ) {
        self.prefix = prefix
        self.depth = depth
        self.status = status
        self.directory = directory
        self.name = name
    }

    fileprivate init(root: FileStatus, directory: Int32) {
        prefix = []
        status = root
        self.directory = directory
        name = [0x2e, 0]
        depth = 0
    }

    /// The names from the root down, joined by `/`; empty for the root itself. Any bytes but null.
    package var path: [UInt8] {
        var path: [UInt8] = []
        appendPath(to: &path)
        return path
    }

    var pathLength: Int { depth == 0 ? 0 : prefix.count + name.count - 1 }

    func appendPath(to bytes: inout [UInt8]) {
        guard depth > 0 else { return }
        bytes += prefix
        // SAFETY: the same bytes under another name, read within their count.
        unsafe name.withUnsafeBytes { unsafe bytes.append(contentsOf: $0.dropLast()) }
    }

    /// A null-terminated path that only leads to this entry, whatever happens to the names above
    /// it.
    var location: [CChar] {
        let prefix = Array("/proc/self/fd/\(directory)/".utf8).map { CChar(bitPattern: $0) }
        return prefix + name
    }

    /// For messages.
    package var text: String { "/" + String(decoding: path, as: UTF8.self) }

    /// Where the symbolic link leads; nil if it is gone or no longer one.
    func linkTarget() -> [UInt8]? {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlinkat(directory, name, &target, target.count)
        return count < 0 ? nil : target.prefix(count).map { UInt8(bitPattern: $0) }
    }

    /// Holds the file without opening it: devices and fifos have no effect, links are not followed.
    func hold() throws -> Descriptor {
        let number = unsafe godwit_openat(directory, name, godwit_o_path | O_NOFOLLOW, 0)
        guard number >= 0 else { throw GodwitError.kernel("open \(text)") }
        return Descriptor(taking: number)
    }
}

/// Visits every file of a tree once for each of its names, parents first, names in the order of
/// their bytes.
///
/// A running and hostile instance may change the tree meanwhile: no link is ever followed, no path
/// is resolved twice, and what vanishes is left out.
package enum TreeWalker {
    /// - Throws: `notFound` if there is no directory at `root`, `limitExceeded` below
    ///   `Limit.treeDepth`
    ///   levels, and what `visit` throws.
    package static func walk(
        _ root: String, visit: (TreeEntry) throws -> Void
    ) throws {
        let number = unsafe godwit_openat(AT_FDCWD, root, directoryFlags, 0)
        guard number >= 0 else {
            let isMissing = errno == ENOENT || errno == ENOTDIR
            throw isMissing
                ? GodwitError(.notFound, "there is no directory \(root)")
                : GodwitError.kernel("open \(root)")
        }
        guard let listing = Listing(taking: number) else {
            throw GodwitError.kernel("list \(root)")
        }
        let status = try FileStatus.of(descriptor: number)
        try visit(TreeEntry(root: status, directory: number))
        try descend(into: listing, prefix: [], depth: 0, visit)
    }

    private static func descend(
        into listing: borrowing Listing, prefix: [UInt8], depth: Int,
        _ visit: (TreeEntry) throws -> Void
    ) throws {
        guard depth < Limit.treeDepth else {
            let text = String(decoding: prefix.prefix(200), as: UTF8.self)
            throw GodwitError(
                .limitExceeded, "the tree is deeper than \(Limit.treeDepth) levels, at /\(text)…",
                remedy: "flatten or remove these directories in the instance"
            )
        }
        for name in listing.names() {
            let directory = listing.descriptor
            var status = stat()
            guard unsafe fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                if errno == ENOENT { continue }
                throw GodwitError.kernel("look at a file of the tree")
            }
            let entry = TreeEntry(
                prefix: prefix, depth: depth + 1, status: FileStatus(status),
                directory: directory, name: name)
            try visit(entry)
            guard entry.status.kind == .directory else { continue }
            let number = unsafe godwit_openat(directory, name, directoryFlags | O_NOFOLLOW, 0)
            guard number >= 0, let inner = Listing(taking: number) else {
                if [ENOENT, ENOTDIR, ELOOP].contains(errno) { continue }
                throw GodwitError.kernel("open \(entry.text)")
            }
            try descend(into: inner, prefix: entry.path + [0x2f], depth: depth + 1, visit)
        }
    }

    private static let directoryFlags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | godwit_o_noatime
}

/// An open directory.
@safe private struct Listing: ~Copyable {
    let descriptor: Int32
    private let stream: OpaquePointer

    init?(taking descriptor: Int32) {
        guard let stream = unsafe fdopendir(descriptor) else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        unsafe self.stream = stream
    }

    deinit { unsafe closedir(stream) }

    /// Null-terminated, without `.` and `..`, in the order of their bytes.
    func names() -> [[CChar]] {
        var names: [[CChar]] = []
        // SAFETY: the stream is open until deinit and read by this function alone; an entry is only
        // used before the next call of readdir.
        while let entry = unsafe readdir(stream) {
            guard let first = unsafe godwit_entry_name(entry) else { continue }
            let name = unsafe UnsafeBufferPointer(start: first, count: strlen(first) + 1)
            let isDots = unsafe name.dropLast().allSatisfy { $0 == 0x2e } && name.count <= 3
            if !isDots { unsafe names.append(Array(name)) }
        }
        // strcmp takes bytes for unsigned.
        return names.sorted { unsafe strcmp($0, $1) < 0 }
    }
}
