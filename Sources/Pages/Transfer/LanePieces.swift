import LinuxHost

/// Those pages of a list of runs that go by one of the streams, a reading at a time.
package struct LanePieces {
    private let runs: [PageRun]
    private let lane: Int
    private let lanes: Int
    private var index = 0
    /// Where in the run it goes on.
    private var next: UInt64?

    package init(_ runs: [PageRun], lane: Int, of lanes: Int) {
        precondition(lanes > 0 && (0..<lanes).contains(lane))
        self.runs = runs
        self.lane = lane
        self.lanes = lanes
    }

    /// At most `limit` pages; empty at the end.
    package mutating func take(upTo limit: Int) -> [PageRun] {
        precondition(limit > 0)
        var taken: [PageRun] = []
        var room = limit
        while room > 0, let piece = nextPiece(upTo: room) {
            taken.append(piece)
            room -= piece.count
        }
        return taken
    }

    private mutating func nextPiece(upTo limit: Int) -> PageRun? {
        while index < runs.count {
            let run = runs[index]
            let start = next ?? run.address
            let border = min(run.end, (start >> 21 + 1) << 21)
            if TransferFormat.lane(of: start, among: lanes) == lane {
                let end = min(border, start + UInt64(limit * PageRun.pageSize))
                advance(to: end, in: run)
                return PageRun(
                    address: start, count: Int(end - start) / PageRun.pageSize)
            }
            advance(to: border, in: run)
        }
        return nil
    }

    private mutating func advance(to address: UInt64, in run: PageRun) {
        if address == run.end {
            index += 1
            next = nil
        } else {
            next = address
        }
    }
}

/// Arithmetic of ascending runs that are apart.
package enum Runs {
    /// Pages in either; `left` and `right` may overlap each other.
    package static func union(_ left: [PageRun], _ right: [PageRun]) -> [PageRun] {
        guard !right.isEmpty else { return left }
        var result: [Range<UInt64>] = []
        for pages in (left + right).map(\.pages).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, pages.lowerBound <= last.upperBound {
                let end = max(last.upperBound, pages.upperBound)
                result[result.count - 1] = last.lowerBound..<end
            } else {
                result.append(pages)
            }
        }
        return result.map(PageRun.init(pages:))
    }

    /// Pages in both.
    package static func intersection(_ left: [PageRun], _ right: [PageRun]) -> [PageRun] {
        var result: [PageRun] = []
        var (i, j) = (0, 0)
        while i < left.count, j < right.count {
            let (one, other) = (left[i].pages, right[j].pages)
            let both = one.clamped(to: other)
            if !both.isEmpty { result.append(PageRun(pages: both)) }
            if one.upperBound < other.upperBound { i += 1 } else { j += 1 }
        }
        return result
    }

    package static func ascend(_ runs: [PageRun]) -> Bool {
        zip(runs, runs.dropFirst()).allSatisfy { $0.end <= $1.address }
    }
}

extension Runs {
    /// The pages at these places, counted through all runs.
    package static func pages(of runs: [PageRun], at places: [Range<Int>]) -> [PageRun] {
        var result: [PageRun] = []
        var first = 0
        for run in runs {
            for place in places {
                let part = place.clamped(to: first..<first + run.count)
                if part.isEmpty { continue }
                let offset = UInt64(part.lowerBound - first) << UInt64(TransferFormat.pageShift)
                result.append(PageRun(address: run.address + offset, count: part.count))
            }
            first += run.count
        }
        return result
    }

    /// Fewer runs, which hold these pages and others: neighbours become one.
    package static func lumped(_ runs: [PageRun]) -> [PageRun] {
        stride(from: 0, to: runs.count, by: 16).map { first in
            let last = runs[min(first + 15, runs.count - 1)]
            return PageRun(pages: runs[first].pages.lowerBound..<last.pages.upperBound)
        }
    }
}
