/// Some of a chunk's pages, by number.
package struct PageSet: Equatable, Sendable {
    package static let capacity = 512

    private var words = SIMD8<UInt64>(repeating: 0)

    package init() {}

    package init(_ range: Range<Int>) { insert(range) }

    package var isEmpty: Bool { words == SIMD8(repeating: 0) }
    package var count: Int { (0..<8).reduce(0) { $0 + words[$1].nonzeroBitCount } }

    package func contains(_ page: Int) -> Bool { words[page / 64] & (1 << UInt64(page % 64)) != 0 }

    package mutating func insert(_ range: Range<Int>) { words |= Self.mask(range) }
    package mutating func remove(_ range: Range<Int>) { words &= ~Self.mask(range) }

    package func union(_ other: PageSet) -> PageSet { PageSet(words | other.words) }
    package func intersection(_ other: PageSet) -> PageSet { PageSet(words & other.words) }
    package func subtracting(_ other: PageSet) -> PageSet { PageSet(words & ~other.words) }

    /// The first pages that follow each other at or after `start`, at most to the end of `limit`.
    package func firstRun(in limit: Range<Int> = 0..<capacity) -> Range<Int>? {
        guard let start = firstPage(in: limit, isMember: true) else { return nil }
        return
            start..<(firstPage(in: start..<limit.upperBound, isMember: false)
            ?? limit.upperBound)
    }

    /// All pages, as runs.
    package var runs: [Range<Int>] {
        var runs: [Range<Int>] = []
        var start = 0
        while let run = firstRun(in: start..<Self.capacity) {
            runs.append(run)
            start = run.upperBound
        }
        return runs
    }

    private init(_ words: SIMD8<UInt64>) { self.words = words }

    private func firstPage(in range: Range<Int>, isMember: Bool) -> Int? {
        guard !range.isEmpty else { return nil }
        for word in range.lowerBound / 64...(range.upperBound - 1) / 64 {
            let wanted = (isMember ? words[word] : ~words[word]) & Self.mask(range, in: word)
            if wanted != 0 { return word * 64 + wanted.trailingZeroBitCount }
        }
        return nil
    }

    private static func mask(_ range: Range<Int>) -> SIMD8<UInt64> {
        precondition(range.lowerBound >= 0 && range.upperBound <= capacity)
        var mask = SIMD8<UInt64>(repeating: 0)
        guard !range.isEmpty else { return mask }
        for word in range.lowerBound / 64...(range.upperBound - 1) / 64 {
            mask[word] = Self.mask(range, in: word)
        }
        return mask
    }

    private static func mask(_ range: Range<Int>, in word: Int) -> UInt64 {
        let low = max(range.lowerBound - word * 64, 0)
        let high = min(range.upperBound - word * 64, 64)
        guard low < high else { return 0 }
        // Shifting by 64 gives 0 in Swift, so a whole word is all ones.
        return ((1 << UInt64(high - low)) &- 1) << UInt64(low)
    }
}
