/// Where memory lies now, against where it lay when the instance was frozen. Memory that has been
/// emptied or unmapped since has no origin any more.
package struct AddressMap: Equatable, Sendable {
    /// Addresses that lie together now and lay together then.
    package struct Piece: Equatable, Sendable {
        package let now: Range<UInt64>
        package let origin: UInt64

        package init(now: Range<UInt64>, origin: UInt64) {
            self.now = now
            self.origin = origin
        }

        package func origin(of address: UInt64) -> UInt64 { origin + (address - now.lowerBound) }

        var origins: Range<UInt64> { origin..<origin + (now.upperBound - now.lowerBound) }

        func cut(to range: Range<UInt64>) -> Piece? {
            let rest = now.clamped(to: range)
            return rest.isEmpty ? nil : Piece(now: rest, origin: origin(of: rest.lowerBound))
        }
    }

    /// Ascending by `now`, apart from each other.
    package private(set) var pieces: [Piece]

    /// Everything is where it was.
    package init() { pieces = [Piece(now: 0..<Self.end, origin: 0)] }

    /// The piece that the address lies in; nil if what is there did not come from the source.
    package func piece(at address: UInt64) -> Piece? {
        let index = firstIndex(endingAfter: address)
        guard index < pieces.count, pieces[index].now.contains(address) else { return nil }
        return pieces[index]
    }

    /// The piece that holds what lay at `origin`, from there on; nil if it is no more.
    package func piece(from origin: UInt64) -> Piece? {
        for piece in pieces where piece.origins.contains(origin) {
            let start = piece.now.lowerBound + (origin - piece.origin)
            return piece.cut(to: start..<piece.now.upperBound)
        }
        return nil
    }

    /// Forgets the origin of the range.
    ///
    /// - Returns: what lay there, by origin.
    package mutating func remove(_ range: Range<UInt64>) -> [Range<UInt64>] {
        take(range).map(\.origins)
    }

    /// - Returns: what has lain at the new place, by origin, and is no more.
    package mutating func move(from: UInt64, to: UInt64, length: UInt64) -> [Range<UInt64>] {
        let moved = take(from..<from + length)
        let lost = remove(to..<to + length)
        for piece in moved {
            let start = piece.now.lowerBound - from + to
            let end = piece.now.upperBound - from + to
            pieces.insert(
                Piece(now: start..<end, origin: piece.origin),
                at: firstIndex(endingAfter: start))
        }
        return lost
    }

    private mutating func take(_ range: Range<UInt64>) -> [Piece] {
        guard !range.isEmpty else { return [] }
        let first = firstIndex(endingAfter: range.lowerBound)
        var last = first
        while last < pieces.count, pieces[last].now.lowerBound < range.upperBound { last += 1 }
        let touched = pieces[first..<last]
        let kept = touched.flatMap { piece in
            [
                piece.cut(to: 0..<range.lowerBound), piece.cut(to: range.upperBound..<Self.end),
            ].compactMap(\.self)
        }
        let taken = touched.compactMap { $0.cut(to: range) }
        pieces.replaceSubrange(first..<last, with: kept)
        return taken
    }

    private func firstIndex(endingAfter address: UInt64) -> Int {
        var low = 0
        var high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle].now.upperBound <= address { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// A multiple of every page size, beyond all addresses of processes.
    private static let end: UInt64 = 1 << 63
}
