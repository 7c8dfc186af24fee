import CLinux
import Foundation
import MigrationCore

/// Anonymous memory of this process that neither a core dump nor a file ever shows; given back with
/// the last reference. Pages cost nothing until they are written.
@safe package final class PrivateMemory: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    package let count: Int

    /// - Throws: `limitExceeded` if the kernel has no room.
    package init(count: Int) throws {
        precondition(count > 0)
        guard let memory = unsafe godwit_map_memory(count) else {
            throw GodwitError(
                .limitExceeded, "the kernel gave no memory for \(count) bytes",
                remedy: "free memory on this host, or raise vm.max_map_count",
                cause: unsafe String(cString: strerror(errno)))
        }
        unsafe base = memory
        self.count = count
    }

    // SAFETY: the pointer and the length are those of `init`; nobody else holds them.
    deinit { unsafe godwit_unmap_memory(base, count) }

    /// The bytes, which live as long as this object. Who writes while others read sees to it that
    /// they are not the same bytes.
    package func bytes(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return unsafe UnsafeMutableRawBufferPointer(
            start: base + range.lowerBound, count: range.count)
    }

    /// Makes the pages zero and gives them back.
    package func empty(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        unsafe godwit_empty_memory(base + range.lowerBound, range.count)
    }
}
