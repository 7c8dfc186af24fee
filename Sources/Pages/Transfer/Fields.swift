import MigrationCore

/// Takes numbers from the front of what a peer said; every one that is not there is an error.
package struct Fields {
    private var rest: ArraySlice<UInt8>

    package init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    package var isAtEnd: Bool { rest.isEmpty }

    func end() throws {
        guard rest.isEmpty else {
            throw TransferFormat.violation("has a record with \(rest.count) bytes too many")
        }
    }

    mutating func u16() throws -> UInt16 { UInt16(try number(2)) }
    mutating func u32() throws -> UInt32 { UInt32(try number(4)) }
    mutating func u64() throws -> UInt64 { try number(8) }

    private mutating func number(_ size: Int) throws -> UInt64 {
        guard rest.count >= size else { throw Self.short }
        defer { rest = rest.dropFirst(size) }
        return rest.prefix(size).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    package mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = rest.popFirst() {
            guard shift < 63 || byte <= 1 else { break }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
            guard shift < 64 else { break }
        }
        throw rest.isEmpty ? Self.short : TransferFormat.violation("has a number beyond 64 bits")
    }

    mutating func task() throws -> TaskID {
        let number = try u32()
        return try Self.task(UInt64(number))
    }

    static func task(_ number: UInt64) throws -> TaskID {
        guard (1...UInt64(Limit.pid)).contains(number) else {
            throw TransferFormat.violation("names a task \(number)")
        }
        return TaskID(Int32(number))
    }

    mutating func counts() throws -> PageCounts {
        var counts = PageCounts()
        counts.content = try u64()
        counts.zeros = try u64()
        counts.repeated = try u64()
        return counts
    }

    /// The next pages of a list that ascends from `page`.
    mutating func pages(from page: UInt64, count: UInt64) throws -> Range<UInt64> {
        let gap = try varint()
        guard count > 0, gap <= TransferFormat.endPage - page,
            count <= TransferFormat.endPage - page - gap
        else { throw TransferFormat.violation("names pages beyond all addresses") }
        return page + gap..<page + gap + count
    }

    private static let short = TransferFormat.violation("has a record that is too short")
}

extension [UInt8] {
    package mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}

extension PageRun {
    /// - Parameter pages: page numbers.
    package init(pages: Range<UInt64>) {
        self.init(
            address: pages.lowerBound << UInt64(TransferFormat.pageShift), count: pages.count)
    }

    /// Page numbers.
    package var pages: Range<UInt64> {
        let first = address >> UInt64(TransferFormat.pageShift)
        return first..<first + UInt64(count)
    }
}
