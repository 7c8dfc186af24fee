import CLinux
import Foundation
import MigrationCore

/// Opens files by their path below a directory that an instance or a peer writes to.
package struct RootedFiles: Sendable {
    private let root: Descriptor

    package init(_ root: String) throws {
        self.root = try Descriptor.open(root, godwit_o_path | O_DIRECTORY)
    }

    /// Holds the regular file at the path, without opening it; nil if there is none (any more), or
    /// if the path leads over a link or out of the root.
    package func regularFile(at path: [UInt8]) throws -> Descriptor? {
        guard !path.isEmpty, path.count < Int(PATH_MAX), !path.contains(0) else { return nil }
        let name = path.map { CChar(bitPattern: $0) } + [0]
        let number = unsafe godwit_openat(root.number, name, godwit_o_path | O_NOFOLLOW, 1)
        guard number >= 0 else {
            // EAGAIN: a rename elsewhere on the host kept the kernel from being sure.
            if [ENOENT, ENOTDIR, ELOOP, EXDEV, ENAMETOOLONG, EAGAIN].contains(errno) { return nil }
            let text = String(decoding: path, as: UTF8.self)
            throw GodwitError.kernel("open /\(text)")
        }
        let held = Descriptor(taking: number)
        return try FileStatus.of(descriptor: number).kind == .regular ? held : nil
    }

    /// Gives away what the regular file at the path holds, piece by piece.
    ///
    /// - Throws: `notFound` if there is none; what `take` throws.
    package func read(_ path: [UInt8], _ take: ([UInt8]) throws -> Void) throws {
        guard let held = try regularFile(at: path), let file = try Self.open(held) else {
            let text = String(decoding: path.prefix(200), as: UTF8.self)
            throw GodwitError(.notFound, "the file /\(text) has gone")
        }
        while true {
            let bytes = try file.read(upTo: 1 << 20)
            if bytes.isEmpty { return }
            try take(bytes)
        }
    }

    /// Makes directories in each other, where they are missing.
    ///
    /// - Throws: `badRequest` if one of them is a link or no directory.
    package func makeDirectories(_ names: [String], owner: UInt32) throws {
        var place = root
        var path = ""
        for name in names {
            path += "/" + name
            let isNew = unsafe mkdirat(place.number, name, 0o755) == 0
            guard isNew || errno == EEXIST else { throw GodwitError.kernel("make \(path)") }
            let number = unsafe godwit_openat(
                place.number, name, godwit_o_path | O_DIRECTORY | O_NOFOLLOW, 1)
            guard number >= 0 else {
                throw GodwitError(
                    .badRequest, "\(path) of the root filesystem is no directory",
                    remedy: "make it one")
            }
            place = Descriptor(taking: number)
            guard !isNew || godwit_chown_descriptor(number, owner, owner) == 0 else {
                throw GodwitError.kernel("give away \(path)")
            }
        }
    }

    /// Opens a held file for reading, its access time untouched.
    ///
    /// - Returns: nil for one that has been removed, where the filesystem has no way to it any more
    ///   (FUSE, NFS).
    static func open(_ held: Descriptor) throws -> Descriptor? {
        let path = "/proc/self/fd/\(held.number)"
        for flags in [O_NONBLOCK | godwit_o_noatime, O_NONBLOCK] {
            let number = unsafe Foundation.open(path, O_RDONLY | O_CLOEXEC | flags)
            if number >= 0 { return Descriptor(taking: number) }
            if [ENOENT, ESTALE].contains(errno) { return nil }
        }
        throw GodwitError.kernel("open \(path)")
    }
}
