import CLZ4

/// Blocks in LZ4's block format, which knows neither its own size nor that of its content.
package enum LZ4 {
    /// - Returns: how many bytes of `target` the block takes; nil if it does not fit.
    package static func compress(
        _ content: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        precondition(content.count <= Int(LZ4_MAX_INPUT_SIZE))
        // SAFETY: reads and writes within the counts that are given.
        let size = unsafe LZ4_compress_default(
            content.baseAddress, target.baseAddress, Int32(content.count),
            Int32(clamping: target.count))
        return size > 0 ? Int(size) : nil
    }

    /// - Returns: whether the block was sound and its content exactly as large as `target`.
    package static func decompress(
        _ block: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard block.count <= Int(Int32.max), target.count <= Int(Int32.max) else { return false }
        // SAFETY: LZ4's "safe" decoder reads and writes within the counts whatever the block says.
        let size = unsafe LZ4_decompress_safe(
            block.baseAddress, target.baseAddress, Int32(block.count), Int32(target.count))
        return Int(size) == target.count
    }
}
