import Foundation
package import MigrationCore

/// The bytes of a device, or of a file. Every call blocks.
package final class BlockDevice: Sendable {
    package let size: ByteCount
    private let file: Descriptor
    private let path: String

    package init(_ path: String, isWritable: Bool) throws {
        self.path = path
        file = try Descriptor.open(path, isWritable ? O_RDWR : O_RDONLY)
        let end = lseek(file.number, 0, SEEK_END)
        guard end >= 0 else { throw GodwitError.kernel("find the size of \(path)") }
        size = ByteCount(bytes: UInt64(end))
    }

    /// Exactly so many bytes.
    package func read(at place: UInt64, count: Int) throws -> [UInt8] {
        precondition(count > 0 && place <= UInt64(Int64.max) - UInt64(count))
        var failure: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = 0
            while filled < count {
                let got = unsafe pread(
                    file.number, buffer.baseAddress.map { unsafe $0 + filled }, count - filled,
                    off_t(place) + off_t(filled))
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else {
                    failure = got < 0 ? errno : EIO
                    return
                }
                filled += got
            }
        }
        guard failure == 0 else { throw GodwitError.kernel("read \(path)", code: failure) }
        return bytes
    }

    package func write(_ bytes: ArraySlice<UInt8>, at place: UInt64) throws {
        precondition(place <= UInt64(Int64.max) - UInt64(bytes.count))
        var (rest, place) = (bytes, off_t(place))
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { buffer in
                unsafe pwrite(file.number, buffer.baseAddress, buffer.count, place)
            }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw GodwitError.kernel("write to \(path)") }
            rest = rest.dropFirst(written)
            place += off_t(written)
        }
    }

    /// Returns when all that was written is on the disk.
    package func synchronize() throws {
        guard fsync(file.number) == 0 else { throw GodwitError.kernel("write out \(path)") }
    }

    /// Whether every byte of the part is zero.
    package static func isZero(_ bytes: ArraySlice<UInt8>) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, unsafe !buffer.isEmpty else { return true }
            // SAFETY: both ranges lie in the buffer, which is not empty; memcmp does not write.
            return unsafe buffer[0] == 0 && memcmp(base, base + 1, buffer.count - 1) == 0
        }
    }
}
