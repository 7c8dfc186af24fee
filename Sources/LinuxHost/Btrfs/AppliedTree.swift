import CLinux
import Foundation
import MigrationCore

/// The tree that a stream's commands change. Paths have no leading slash; the root's is empty.
final class AppliedTree {
    private let root: Descriptor
    private let files: RootedFiles
    /// Streams name the same directory, and the same file, many times in a row.
    private var lastDirectory: (path: [UInt8], held: Descriptor)?
    private var lastFile: (path: [UInt8], open: Descriptor)?
    /// Whose numbers the command under way has: a descriptor may be closed after its last use.
    private var inUse: [Descriptor] = []

    init(_ path: String) throws {
        root = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        files = try RootedFiles(path)
    }

    func apply(_ command: SendCommand) throws {
        inUse = []
        let path = Array(try command.bytes(.path))
        switch command.kind {
        case .makeFile, .makeDirectory, .makeNode, .makeFIFO, .makeSocket, .symbolicLink, .link:
            try make(command, path)
        case .rename, .unlink, .removeDirectory: try moveOrRemove(command, path)
        case .setAttribute, .removeAttribute, .mode, .owner, .times: try describe(command, path)
        case .write:
            try write(Array(command.bytes(.data)), to: path, at: command.number(.offset))
        case .truncate:
            let size = try command.number(.size)
            try check(ftruncate(file(path).number, Int(clamping: size)) == 0, "cut", path)
        case .subvolume, .snapshot, .clone, .end:
            throw SendCommand.nonsense("the command \(command.kind) in the wrong place")
        }
    }

    private func make(_ command: SendCommand, _ path: [UInt8]) throws {
        let place = try place(path)
        let (directory, name) = (place.directory.number, place.name)
        let isMade: Bool
        switch command.kind {
        case .makeFile: isMade = unsafe mknodat(directory, name, S_IFREG | 0o600, 0) == 0
        case .makeDirectory: isMade = unsafe mkdirat(directory, name, 0o700) == 0
        case .makeFIFO: isMade = unsafe mknodat(directory, name, S_IFIFO | 0o600, 0) == 0
        case .makeSocket: isMade = unsafe mknodat(directory, name, S_IFSOCK | 0o600, 0) == 0
        case .makeNode:
            let mode = UInt32(truncatingIfNeeded: try command.number(.mode))
            let device = try command.number(.device)
            isMade = unsafe mknodat(directory, name, mode, dev_t(device)) == 0
        case .symbolicLink:
            let link = try text(command.bytes(.pathLink))
            isMade = unsafe symlinkat(link, directory, name) == 0
        default:
            let old = try self.place(Array(command.bytes(.pathLink)))
            isMade = unsafe linkat(old.directory.number, old.name, directory, name, 0) == 0
        }
        try check(isMade, "make", path)
    }

    private func moveOrRemove(_ command: SendCommand, _ path: [UInt8]) throws {
        (lastDirectory, lastFile) = (nil, nil)
        let place = try place(path)
        let (directory, name) = (place.directory.number, place.name)
        switch command.kind {
        case .rename:
            let new = try self.place(Array(command.bytes(.pathTo)))
            try check(
                unsafe renameat(directory, name, new.directory.number, new.name) == 0,
                "rename", path)
            lastDirectory = nil
        case .unlink: try check(unsafe unlinkat(directory, name, 0) == 0, "remove", path)
        default:
            try check(unsafe unlinkat(directory, name, AT_REMOVEDIR) == 0, "remove", path)
        }
    }

    private func describe(_ command: SendCommand, _ path: [UInt8]) throws {
        switch command.kind {
        case .setAttribute:
            let place = try place(path)
            try ExtendedAttributes.set(
                Array(command.bytes(.attributeName)), to: Array(command.bytes(.attributeValue)),
                at: place.location)
        case .removeAttribute:
            let (place, name) = try (place(path), text(command.bytes(.attributeName)))
            let isDone = unsafe lremovexattr(place.location, name) == 0
            try check(isDone || errno == ENODATA, "remove an attribute of", path)
        case .mode: try setMode(UInt32(truncatingIfNeeded: command.number(.mode)) & 0o7777, path)
        case .owner:
            let place = try place(path)
            let (user, group) = try (command.number(.user), command.number(.group))
            try check(
                unsafe fchownat(
                    place.directory.number, place.name, UInt32(truncatingIfNeeded: user),
                    UInt32(truncatingIfNeeded: group), AT_SYMLINK_NOFOLLOW) == 0,
                "give away", path)
        default:
            try setTimes(path, accessed: command.time(.accessed), modified: command.time(.modified))
        }
    }

    /// - Parameter accessed: nil leaves it as it is.
    func setTimes(_ path: [UInt8], accessed: FileTime?, modified: FileTime) throws {
        let place = try place(path)
        // UTIME_OMIT
        let first = accessed.map { timespec($0) } ?? timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2)
        let times = [first, timespec(modified)]
        try check(
            unsafe utimensat(
                place.directory.number, place.name, times, AT_SYMLINK_NOFOLLOW) == 0,
            "set the times of", path)
    }

    /// chmod(2) follows links, and a stream has none to follow.
    private func setMode(_ mode: UInt32, _ path: [UInt8]) throws {
        let place = try place(path)
        let flags = godwit_o_path | O_NOFOLLOW
        let number = unsafe godwit_openat(place.directory.number, place.name, flags, 0)
        try check(number >= 0, "open", path)
        inUse.append(Descriptor(taking: number))
        guard try FileStatus.of(descriptor: number).kind != .symbolicLink else {
            throw SendCommand.nonsense("permissions of a link")
        }
        try check(unsafe chmod("/proc/self/fd/\(number)", mode) == 0, "open", path)
    }

    private func write(_ bytes: [UInt8], to path: [UInt8], at offset: UInt64) throws {
        guard let start = Int(exactly: offset), start <= Int.max - bytes.count else {
            throw SendCommand.nonsense("content at \(offset)")
        }
        let file = try file(path)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                // SAFETY: `done` is less than the buffer's size.
                unsafe pwrite(
                    file.number, buffer.baseAddress?.advanced(by: done), buffer.count - done,
                    start + done)
            }
            if count < 0 && errno == EINTR { continue }
            try check(count > 0, "write", path)
            done += count
        }
    }

    func clone(
        _ other: Descriptor, _ otherOffset: UInt64, _ length: UInt64, into path: [UInt8],
        at offset: UInt64
    ) throws {
        let file = try file(path)
        let result = godwit_clone_range(other.number, otherOffset, length, file.number, offset)
        guard result == 0 else {
            throw GodwitError.kernel("share content with \(shown(path))", code: -result)
        }
    }

    func regularFile(_ path: [UInt8]) throws -> Descriptor? { try files.regularFile(at: path) }

    /// Open for writing.
    private func file(_ path: [UInt8]) throws -> Descriptor {
        if let lastFile, lastFile.path == path { return lastFile.open }
        guard let held = try files.regularFile(at: path) else {
            throw SendCommand.nonsense("content of \(shown(path)), which is no file")
        }
        inUse.append(held)
        let open = try Descriptor.open("/proc/self/fd/\(held.number)", O_WRONLY)
        lastFile = (path, open)
        return open
    }

    private struct Place {
        let directory: Descriptor
        let name: [CChar]
        /// For calls that take no directory.
        var location: [CChar] {
            "/proc/self/fd/\(directory.number)/".utf8.map { CChar(bitPattern: $0) } + name
        }
    }

    private func place(_ path: [UInt8]) throws -> Place {
        guard !path.isEmpty else { return Place(directory: root, name: [0x2e, 0]) }
        let slash = path.lastIndex(of: 0x2f)
        let name = slash.map { path[($0 + 1)...] } ?? path[...]
        guard path.count < Int(PATH_MAX), !name.isEmpty, !path.contains(0),
            !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8)
        else { throw SendCommand.nonsense("the path \(shown(path))") }
        let parent = slash.map { Array(path[..<$0]) } ?? []
        return Place(
            directory: try directory(parent), name: name.map { CChar(bitPattern: $0) } + [0])
    }

    private func directory(_ path: [UInt8]) throws -> Descriptor {
        guard !path.isEmpty else { return root }
        if let lastDirectory, lastDirectory.path == path {
            inUse.append(lastDirectory.held)
            return lastDirectory.held
        }
        let name = path.map { CChar(bitPattern: $0) } + [0]
        let flags = godwit_o_path | O_DIRECTORY | O_NOFOLLOW
        let number = unsafe godwit_openat(root.number, name, flags, 1)
        try check(number >= 0, "open", path)
        let held = Descriptor(taking: number)
        lastDirectory = (path, held)
        inUse.append(held)
        return held
    }

    private func text(_ bytes: ArraySlice<UInt8>) throws -> [CChar] {
        guard !bytes.contains(0), bytes.count < Int(PATH_MAX) else {
            throw SendCommand.nonsense("a name with a null byte")
        }
        return bytes.map { CChar(bitPattern: $0) } + [0]
    }

    private func shown(_ path: [UInt8]) -> String {
        "/" + String(decoding: path.prefix(200), as: UTF8.self)
    }

    private func check(_ isDone: Bool, _ action: String, _ path: [UInt8]) throws {
        guard !isDone else { return }
        throw GodwitError.kernel("\(action) \(shown(path)) of the volume")
    }
}

extension timespec {
    fileprivate init(_ time: FileTime) {
        self.init(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
    }
}
