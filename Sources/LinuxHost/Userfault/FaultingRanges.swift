import Foundation
import MigrationCore

/// Which memory of a process reports missing pages to a userfaultfd, read from `/proc/PID/smaps`.
package enum FaultingRanges {
    /// Ascending; mappings that touch each other are one range.
    package static func of(_ pid: Int32) throws -> [Range<UInt64>] {
        let file = try Descriptor.open("/proc/\(pid)/smaps", O_RDONLY)
        var ranges: [Range<UInt64>] = []
        var mapping: Range<UInt64>?
        var rest: [UInt8] = []
        while true {
            let bytes = try file.read(upTo: 262_144)
            if bytes.isEmpty { return ranges }
            rest += bytes
            var start = 0
            while let end = rest[start...].firstIndex(of: 0x0A) {
                read(rest[start..<end], &mapping, &ranges)
                start = end + 1
            }
            rest.removeFirst(start)
        }
    }

    private static func read(
        _ line: ArraySlice<UInt8>, _ mapping: inout Range<UInt64>?, _ ranges: inout [Range<UInt64>]
    ) {
        guard line.starts(with: flagsMark) else {
            mapping = addresses(line) ?? mapping
            return
        }
        guard let found = mapping,
            line.split(separator: 0x20).contains(where: { $0.elementsEqual(missingMark) })
        else { return }
        if let last = ranges.last, last.upperBound == found.lowerBound {
            ranges[ranges.count - 1] = last.lowerBound..<found.upperBound
        } else {
            ranges.append(found)
        }
    }

    /// The range at the start of a mapping's first line; nil for other lines.
    private static func addresses(_ line: ArraySlice<UInt8>) -> Range<UInt64>? {
        guard let word = line.split(separator: 0x20, maxSplits: 1).first,
            let dash = word.firstIndex(of: 0x2D),
            let start = UInt64(String(decoding: word[..<dash], as: UTF8.self), radix: 16),
            let end = UInt64(String(decoding: word[(dash + 1)...], as: UTF8.self), radix: 16),
            start < end
        else { return nil }
        return start..<end
    }

    private static let flagsMark = Array("VmFlags:".utf8)
    private static let missingMark = Array("um".utf8)
}
