import MigrationCore

/// 64 bits for each page, in blocks of 512 pages.
struct PageWords {
    private var blocks: [UInt64: [UInt64]] = [:]
    private let blockLimit: Int
    /// What a page has that was given none.
    static let none: UInt64 = 0

    /// - Parameter limit: pages beyond this much memory keep none.
    init(limit: ByteCount) { blockLimit = Int(limit.bytes / Self.blockSize) }

    private static let blockSize = UInt64(512 * PageRun.pageSize)

    subscript(address: UInt64) -> UInt64 {
        get { blocks[address / Self.blockSize]?[Self.place(address)] ?? Self.none }
        set {
            let number = address / Self.blockSize
            guard blocks[number] != nil || blocks.count < blockLimit else { return }
            let empty = [UInt64](repeating: Self.none, count: 512)
            blocks[number, default: empty][Self.place(address)] = newValue
        }
    }

    private static func place(_ address: UInt64) -> Int {
        Int(address % blockSize) / PageRun.pageSize
    }
}
