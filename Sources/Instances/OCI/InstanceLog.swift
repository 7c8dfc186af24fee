import Foundation
package import LinuxHost
package import MigrationCore

/// The standard output and error of an instance, in two files of at most `Limit.instanceLog` each.
package struct InstanceLog: Sendable {
    let path: String
    let olderPath: String
    let limit: ByteCount

    package init(path: String, olderPath: String, limit: ByteCount = Limit.instanceLog) {
        self.path = path
        self.olderPath = olderPath
        self.limit = limit
    }

    init(_ files: InstanceFiles) { self.init(path: files.log, olderPath: files.olderLog) }

    /// Appends everything that comes out of the pipe, until all who could write to it are gone.
    package func append(from pipe: Descriptor) throws {
        // A disk that fails or is full loses lines of the log; it must not stop the instance.
        var file = try? open()
        var size = length(of: path)
        while true {
            let bytes = try pipe.read(upTo: 65_536)
            if bytes.isEmpty { return }
            if size + UInt64(bytes.count) > limit.bytes, size > 0 {
                _ = unsafe rename(path, olderPath)
                file = try? open()
                size = 0
            }
            try? file?.write(bytes[...])
            size += UInt64(bytes.count)
        }
    }

    /// The last `count` bytes of both files together.
    package func tail(_ count: ByteCount) throws -> [UInt8] {
        let newer = try end(of: path, count.bytes)
        let older = try end(of: olderPath, count.bytes - UInt64(newer.count))
        return older + newer
    }

    package func remove() throws {
        try SmallFile.remove(path)
        try SmallFile.remove(olderPath)
    }

    private func open() throws -> Descriptor {
        try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND)
    }

    private func length(of path: String) -> UInt64 {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? UInt64(status.st_size) : 0
    }

    private func end(of path: String, _ count: UInt64) throws -> [UInt8] {
        guard count > 0, SmallFile.exists(path) else { return [] }
        let file = try Descriptor.open(path, O_RDONLY)
        let size = length(of: path)
        guard lseek(file.number, off_t(size - min(size, count)), SEEK_SET) >= 0 else {
            throw GodwitError.kernel("seek in \(path)")
        }
        var bytes: [UInt8] = []
        while bytes.count < count {
            let next = try file.read(upTo: Int(min(count - UInt64(bytes.count), 1 << 20)))
            if next.isEmpty { break }
            bytes += next
        }
        return bytes
    }
}
