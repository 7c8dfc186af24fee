import CXXHash
import Foundation
import MigrationCore

/// An XXH3 hash of 128 bits: fast, and not meant to withstand forgery.
package struct ContentHash: Hashable, Sendable {
    let low: UInt64
    let high: UInt64

    /// Stands for a file that was gone before it could be read.
    static let vanished = ContentHash(low: 0, high: 0)

    private init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    fileprivate init(_ hash: XXH128_hash_t) { self.init(low: hash.low64, high: hash.high64) }

    package init(of bytes: [UInt8]) {
        // SAFETY: the buffer is only read, within its count.
        self.init(unsafe bytes.withUnsafeBytes { unsafe XXH3_128bits($0.baseAddress, $0.count) })
    }

    var hexadecimal: String {
        [high, low].map { half in
            let digits = String(half, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

/// Hashes what comes in pieces.
@safe struct Hasher128: ~Copyable {
    private let state: OpaquePointer

    init() {
        guard let state = unsafe XXH3_createState() else { preconditionFailure("out of memory") }
        unsafe self.state = state
        _ = unsafe XXH3_128bits_reset(state)
    }

    deinit { _ = unsafe XXH3_freeState(state) }

    borrowing func update(_ bytes: UnsafeRawBufferPointer) {
        // SAFETY: the buffer is only read, within its count.
        _ = unsafe XXH3_128bits_update(state, bytes.baseAddress, bytes.count)
    }

    borrowing func finish() -> ContentHash { ContentHash(unsafe XXH3_128bits_digest(state)) }
}

/// A buffer of one thread that hashes file after file.
@safe struct FileHasher: ~Copyable {
    private let buffer: UnsafeMutableRawBufferPointer

    init() {
        unsafe buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4_096)
    }

    deinit { unsafe buffer.deallocate() }

    /// Reads the file from where it stands to its end.
    borrowing func hash(_ file: Descriptor) throws -> ContentHash {
        let hasher = Hasher128()
        while true {
            let count = unsafe read(file.number, buffer.baseAddress, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw GodwitError.kernel("read a file of the tree") }
            if count == 0 { return hasher.finish() }
            unsafe hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
