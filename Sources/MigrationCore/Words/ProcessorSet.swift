/// Processors by number, written as the kernel does: `0-3,5`. It is never empty.
package struct ProcessorSet: Codable, Hashable, Sendable, CustomStringConvertible {
    package let numbers: Set<Int>

    /// - Throws: `badRequest` for any other text, `limitExceeded` for a number beyond
    ///   `Limit.processors`.
    package init(parsing text: some StringProtocol) throws(GodwitError) {
        var numbers: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map {
                $0.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int($0) : nil
            }
            guard (1...2).contains(ends.count), let first = ends[0],
                let last = ends[ends.count - 1], first <= last
            else {
                throw GodwitError(
                    .badRequest, "\"\(text.prefix(80))\" is not a list of processors",
                    remedy: "write it as 0-3,5")
            }
            guard last < Limit.processors else {
                throw GodwitError(
                    .limitExceeded, "there is no processor \(last)",
                    remedy: "the numbers of this host's are in /sys/devices/system/cpu/online")
            }
            numbers.formUnion(first...last)
        }
        self.numbers = numbers
    }

    package init(from decoder: any Decoder) throws {
        try self.init(parsing: decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package var description: String {
        var ranges: [ClosedRange<Int>] = []
        for number in numbers.sorted() {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { range in
            range.count == 1
                ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
        }.joined(separator: ",")
    }
}
