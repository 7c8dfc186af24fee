package import MigrationCore

/// Blocks of a thin volume that lie together in it and in its pool.
package struct ThinRun: Equatable, Sendable {
    /// In the volume, in blocks.
    package let begin: UInt64
    /// In the pool.
    package let data: UInt64
    package let count: UInt64

    /// - Precondition: a block or more, and no number beyond what 64 bits hold.
    package init(begin: UInt64, data: UInt64, count: UInt64) {
        precondition(count > 0 && begin <= .max - count && data <= .max - count)
        self.begin = begin
        self.data = data
        self.count = count
    }

    var end: UInt64 { begin + count }

    /// Nil if nothing is left.
    func dropping(_ blocks: UInt64) -> ThinRun? {
        blocks < count
            ? ThinRun(begin: begin + blocks, data: data + blocks, count: count - blocks) : nil
    }
}

/// Which blocks of a thin volume its pool keeps, and where. Those of a snapshot that nobody writes
/// to stay as they are.
package struct ThinMappings: Equatable, Sendable {
    package let block: ByteCount
    /// In the volume's order.
    package let runs: [ThinRun]

    package init(block: ByteCount, runs: [ThinRun]) {
        precondition(block > .zero)
        precondition(zip(runs, runs.dropFirst()).allSatisfy { $0.end <= $1.begin })
        self.block = block
        self.runs = runs
    }

    /// What makes one snapshot of a volume into a later one.
    package struct Changes: Equatable, Sendable {
        /// Blocks whose content may be another.
        package fileprivate(set) var changed: [Range<UInt64>] = []
        /// Blocks that are zero now.
        package fileprivate(set) var gone: [Range<UInt64>] = []
        package let block: ByteCount

        /// What the changed blocks hold.
        package var size: ByteCount {
            ByteCount(bytes: changed.reduce(0) { $0 + UInt64($1.count) } * block.bytes)
        }

        /// Where blocks are in a volume of that size, in bytes.
        package func place(of blocks: Range<UInt64>, within size: ByteCount) -> Range<UInt64> {
            let (begin, end) = (blocks.lowerBound * block.bytes, blocks.upperBound * block.bytes)
            return min(begin, size.bytes)..<min(end, size.bytes)
        }

        fileprivate static func append(
            _ blocks: UInt64, from begin: UInt64, to list: inout [Range<UInt64>]
        ) {
            if let last = list.last, last.upperBound == begin {
                list[list.count - 1] = last.lowerBound..<begin + blocks
            } else {
                list.append(begin..<begin + blocks)
            }
        }
    }

    /// A block that both keep in one place of the pool is the same: what is shared is not written
    /// to. `thin_delta` says this, too, but misses changes in versions 1.0.0 to 1.0.5.
    ///
    /// - Parameter earlier: nil for nothing; of the same pool.
    package func changes(since earlier: ThinMappings?) -> Changes {
        var changes = Changes(block: block)
        var (olds, news) = (earlier?.runs[...] ?? [], runs[...])
        var (old, new) = (olds.popFirst(), news.popFirst())
        while old != nil || new != nil {
            let (take, isOld, isNew) = Self.step(old, new)
            if let new, isNew, !isOld || old?.data != new.data {
                Changes.append(take, from: new.begin, to: &changes.changed)
            } else if let old, isOld, !isNew {
                Changes.append(take, from: old.begin, to: &changes.gone)
            }
            if isOld { old = old?.dropping(take) ?? olds.popFirst() }
            if isNew { new = new?.dropping(take) ?? news.popFirst() }
        }
        return changes
    }

    /// How many blocks come next that the old one, the new one or both have.
    private static func step(
        _ old: ThinRun?, _ new: ThinRun?
    ) -> (blocks: UInt64, isOld: Bool, isNew: Bool) {
        guard let old else { return (new?.count ?? 0, false, true) }
        guard let new else { return (old.count, true, false) }
        if old.begin < new.begin { return (min(old.count, new.begin - old.begin), true, false) }
        if new.begin < old.begin { return (min(new.count, old.begin - new.begin), false, true) }
        return (min(old.count, new.count), true, true)
    }
}
