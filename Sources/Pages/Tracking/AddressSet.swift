/// Addresses, as ascending ranges that do not touch.
package struct AddressSet: Equatable, Sendable {
    package private(set) var ranges: [Range<UInt64>] = []

    package init() {}

    /// - Parameter ranges: in any order; they may overlap.
    package init(_ ranges: some Sequence<Range<UInt64>>) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            append(range)
        }
    }

    package var isEmpty: Bool { ranges.isEmpty }

    /// As runs of whole pages.
    package var runs: [PageRun] {
        ranges.map {
            PageRun(address: $0.lowerBound, count: $0.count / PageRun.pageSize)
        }
    }

    /// Adds a range that begins at or behind the beginning of the last.
    package mutating func append(_ range: Range<UInt64>) {
        guard let last = ranges.last, range.lowerBound <= last.upperBound else {
            ranges.append(range)
            return
        }
        precondition(range.lowerBound >= last.lowerBound, "ranges out of order")
        let end = max(last.upperBound, range.upperBound)
        ranges[ranges.count - 1] = last.lowerBound..<end
    }

    package func union(_ other: AddressSet) -> AddressSet {
        if isEmpty { return other }
        return other.isEmpty ? self : AddressSet(ranges + other.ranges)
    }

    package func intersection(_ other: AddressSet) -> AddressSet {
        var result = AddressSet()
        var (left, right) = (0, 0)
        while left < ranges.count, right < other.ranges.count {
            let (one, two) = (ranges[left], other.ranges[right])
            let common = one.clamped(to: two)
            if !common.isEmpty { result.append(common) }
            if one.upperBound <= two.upperBound { left += 1 } else { right += 1 }
        }
        return result
    }

    package func subtracting(_ other: AddressSet) -> AddressSet {
        guard !other.isEmpty else { return self }
        var result = AddressSet()
        var next = 0
        for range in ranges {
            var start = range.lowerBound
            while next < other.ranges.count, other.ranges[next].upperBound <= start { next += 1 }
            var index = next
            while index < other.ranges.count, other.ranges[index].lowerBound < range.upperBound {
                let hole = other.ranges[index]
                if hole.lowerBound > start { result.append(start..<hole.lowerBound) }
                start = max(start, hole.upperBound)
                index += 1
            }
            if start < range.upperBound { result.append(start..<range.upperBound) }
        }
        return result
    }
}
