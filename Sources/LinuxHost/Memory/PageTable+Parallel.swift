import Dispatch
import Foundation
import Synchronization

extension PageTable {
    /// Scans ranges as `scan` does, large ones in slices and by several threads: in the freeze all
    /// processors are free, and one takes 4 ms a GiB.
    ///
    /// - Returns: for each range its regions, ascending by and large; nil if the kernel refuses one
    ///   of its parts.
    package static func scan(
        _ ranges: [Range<UInt64>], of task: Int32, marking mark: Mark, protecting: Bool
    ) -> [[Region]?] {
        let slices = ranges.indices.flatMap { index in
            cut(ranges[index]).map { (range: index, pages: $0) }
        }
        let found = Mutex<[[Region]?]>(Array(repeating: nil, count: slices.count))
        let next = Atomic(0)
        // One that is hardly larger than a slice is not worth a thread.
        let size = ranges.reduce(0) { $0 + UInt64($1.count) }
        let workers = min(
            ProcessInfo.processInfo.activeProcessorCount, Int(clamping: size / sliceSize + 1), 8)
        DispatchQueue.concurrentPerform(iterations: workers) { _ in
            guard let table = try? PageTable(of: task) else { return }
            while true {
                let number = next.add(1, ordering: .relaxed).oldValue
                guard number < slices.count else { return }
                var regions: [Region] = []
                let code = table.scan(
                    slices[number].pages, marking: mark, protecting: protecting
                ) { regions.append($0) }
                if code == 0 { found.withLock { $0[number] = regions } }
            }
        }
        let parts = found.withLock { $0 }
        var results: [[Region]?] = Array(repeating: [], count: ranges.count)
        for (slice, regions) in zip(slices, parts) {
            guard let regions else {
                results[slice.range] = nil
                continue
            }
            results[slice.range]?.append(contentsOf: regions)
        }
        return results
    }

    /// A multiple of the largest huge page that anonymous memory has, so that none is cut.
    private static let sliceSize = UInt64(128) << 20

    private static func cut(_ range: Range<UInt64>) -> [Range<UInt64>] {
        var slices: [Range<UInt64>] = []
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(range.upperBound, (start / sliceSize + 1) * sliceSize)
            slices.append(start..<end)
            start = end
        }
        return slices
    }
}
