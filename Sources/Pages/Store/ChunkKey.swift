/// A stretch of `PageSet.capacity` pages of one address space, from a multiple of its size on.
package struct ChunkKey: Hashable, Sendable {
    package static let byteCount = PageSet.capacity * PageRun.pageSize

    package let task: TaskID
    /// The chunk's first address divided by the chunk's size.
    package let index: UInt64

    package init(task: TaskID, index: UInt64) {
        self.task = task
        self.index = index
    }

    package var address: UInt64 { index * UInt64(Self.byteCount) }

    /// The address of a page of this chunk.
    package func address(of page: Int) -> UInt64 { address + UInt64(page * PageRun.pageSize) }
}

/// Pages of one chunk.
package struct ChunkPages: Equatable {
    package let key: ChunkKey
    package let pages: Range<Int>

    package init(key: ChunkKey, pages: Range<Int>) {
        self.key = key
        self.pages = pages
    }
}

/// Cuts pages at the borders of chunks.
///
/// - Parameters:
///   - address: a multiple of the page size.
///   - count: may be 0; the last page must not lie beyond the end of all addresses.
package func chunks(of task: TaskID, at address: UInt64, count: Int) -> [ChunkPages] {
    let pageSize = UInt64(PageRun.pageSize)
    precondition(address % pageSize == 0 && count >= 0)
    var cut: [ChunkPages] = []
    var page = address / pageSize
    let end = page + UInt64(count)
    let capacity = UInt64(PageSet.capacity)
    while page < end {
        let index = page / capacity
        let first = Int(page % capacity)
        let last = Int(min(end - index * capacity, capacity))
        cut.append(ChunkPages(key: ChunkKey(task: task, index: index), pages: first..<last))
        page = (index + 1) * capacity
    }
    return cut
}
