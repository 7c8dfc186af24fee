import Foundation
import MigrationCore

/// Files that fit into memory at once: those under /proc and /sys, and our own state.
package enum SmallFile {
    /// The whole file, at most `Limit.smallFile`.
    ///
    /// - Throws: `limitExceeded` for a longer file, `kernelRefused` if it cannot be read.
    package static func bytes(_ path: String) throws -> [UInt8] {
        let file = try Descriptor.open(path, O_RDONLY)
        var all: [UInt8] = []
        while true {
            let next = try file.read(upTo: 65_536)
            if next.isEmpty { return all }
            all += next
            guard all.count <= Int(Limit.smallFile.bytes) else {
                throw GodwitError(.limitExceeded, "the file \(path) is longer than 4 MiB")
            }
        }
    }

    package static func text(_ path: String) throws -> String {
        String(decoding: try bytes(path), as: UTF8.self)
    }

    /// The file's text without surrounding white space; nil if it cannot be read.
    package static func word(_ path: String) -> String? {
        (try? text(path))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Writes in one call, as the kernel's control files want it.
    package static func write(_ text: String, to path: String) throws {
        do {
            try Descriptor.open(path, O_WRONLY | O_TRUNC).write(Array(text.utf8)[...])
        } catch let error as GodwitError {
            throw GodwitError(
                error.code, "\"\(text)\" could not be written to \(path)", cause: error.message)
        }
    }

    /// Puts the bytes in the file's place at once: a reader sees the old content or the new.
    package static func replace(
        _ path: String, with bytes: [UInt8], mode: UInt32 = 0o600
    ) throws {
        let temporary = path + ".new"
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        try Descriptor.open(temporary, flags, mode: mode).write(bytes[...])
        guard unsafe rename(temporary, path) == 0 else {
            throw GodwitError.kernel("rename \(temporary)")
        }
    }

    package static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path)
    }

    /// Makes the directory and those above it, readable by root alone.
    package static func makeDirectory(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw GodwitError(
                .kernelRefused, "the directory \(path) could not be made", cause: "\(error)")
        }
    }

    /// Removes a file, or a directory with all that is in it; there need not be one.
    package static func remove(_ path: String) throws {
        guard unsafe unlink(path) != 0, errno != ENOENT else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            guard exists(path) else { return }
            throw GodwitError(
                .kernelRefused, "\(path) could not be removed", cause: "\(error)")
        }
    }
}
