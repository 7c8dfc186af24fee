import CLinux
import Foundation
package import MigrationCore
import Synchronization

/// An open file of this process: closed when the last reference goes, never given to a child unless
/// named. Reads and writes block; call them inside `blocking`.
package final class Descriptor: Sendable {
    package let number: Int32

    /// Takes over an open descriptor.
    package init(taking number: Int32) {
        precondition(number >= 0)
        self.number = number
    }

    private let isOpen = Atomic(true)

    deinit { close() }

    /// Closes now. Only for the one owner who knows that nobody reads or writes any more; later
    /// calls do nothing.
    package func close() {
        if isOpen.exchange(false, ordering: .acquiringAndReleasing) { Foundation.close(number) }
    }

    /// - Throws: `kernelRefused` with the path and the kernel's reason.
    package static func open(
        _ path: String, _ flags: Int32, mode: UInt32 = 0o600
    ) throws -> Descriptor {
        let number = unsafe Foundation.open(path, flags | O_CLOEXEC, mode)
        guard number >= 0 else { throw GodwitError.kernel("open \(path)") }
        return Descriptor(taking: number)
    }

    package static func pipe() throws -> (read: Descriptor, write: Descriptor) {
        var numbers: [Int32] = [-1, -1]
        guard unsafe godwit_pipe(&numbers) == 0 else {
            throw GodwitError.kernel("make a pipe")
        }
        return (Descriptor(taking: numbers[0]), Descriptor(taking: numbers[1]))
    }

    /// A file in memory that holds these bytes, to be read from its start.
    package static func memory(_ bytes: [UInt8]) throws -> Descriptor {
        let number = unsafe godwit_memory_file("godwit")
        guard number >= 0 else { throw GodwitError.kernel("make a file in memory") }
        let file = Descriptor(taking: number)
        try file.write(bytes[...])
        guard lseek(number, 0, SEEK_SET) == 0 else { throw GodwitError.kernel("seek in a file") }
        return file
    }

    /// Up to `limit` bytes; empty at the end.
    package func readToEnd() throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let next = try read(upTo: 65_536)
            if next.isEmpty { return all }
            all += next
        }
    }

    package func read(upTo limit: Int) throws -> [UInt8] {
        precondition(limit > 0)
        var failure: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            var result: Int
            repeat {
                result = unsafe Foundation.read(number, buffer.baseAddress, limit)
            } while result < 0 && errno == EINTR
            failure = result < 0 ? errno : 0
            count = max(result, 0)
        }
        guard failure == 0 else { throw GodwitError.kernel("read", code: failure) }
        return bytes
    }

    /// Returns when what was written is on the disk.
    package func synchronize() throws {
        guard fsync(number) == 0 else { throw GodwitError.kernel("synchronize a file") }
    }

    package func write(_ bytes: ArraySlice<UInt8>) throws {
        var rest = bytes
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { buffer in
                unsafe Foundation.write(number, buffer.baseAddress, buffer.count)
            }
            if written < 0 && errno == EINTR { continue }
            guard written >= 0 else { throw GodwitError.kernel("write") }
            rest = rest.dropFirst(written)
        }
    }
}

extension GodwitError {
    /// What a failed system call left in `errno`.
    package static func kernel(_ action: String, code: Int32 = errno) -> GodwitError {
        let reason = unsafe String(cString: strerror(code))
        return GodwitError(
            code == ENOSPC ? .noSpace : .kernelRefused,
            "the kernel did not \(action): \(reason)"
        )
    }
}
