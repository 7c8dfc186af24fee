import CXXHash

/// XXH3 with 128 bits of a page or of a conversation: tells contents apart that differ by accident.
package struct PageHash: Hashable, Sendable {
    package let low: UInt64
    package let high: UInt64

    package init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    package init(of bytes: UnsafeRawBufferPointer) {
        // SAFETY: the buffer is only read, within its count.
        let hash = unsafe XXH3_128bits(bytes.baseAddress, bytes.count)
        self.init(low: hash.low64, high: hash.high64)
    }
}

extension StreamDigest {
    package func update(_ bytes: UnsafeRawBufferPointer) {
        // SAFETY: the buffer is only read, within its count.
        unsafe withState { state in
            _ = unsafe XXH3_128bits_update(state, bytes.baseAddress, bytes.count)
        }
    }

    /// The digest so far.
    package var hash: PageHash {
        var result = PageHash(low: 0, high: 0)
        // SAFETY: reads the state only.
        unsafe withState { state in
            let hash = unsafe XXH3_128bits_digest(state)
            result = PageHash(low: hash.low64, high: hash.high64)
        }
        return result
    }
}
