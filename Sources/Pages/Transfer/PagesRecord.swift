import LinuxHost
import MigrationCore

/// A record of pages, its parts told apart and their sizes checked.
struct PagesRecord {
    let task: TaskID
    let coding: TransferFormat.Coding
    /// The numbers that stand before the content.
    let fixed: ArraySlice<UInt8>
    let content: ArraySlice<UInt8>
    let entries: ArraySlice<UInt8>
    /// Pages of content.
    let count: Int
    let lane: Int
    let lanes: Int

    init(_ record: Record, lane: Int, of lanes: Int) throws {
        fixed = record.body.prefix(TransferFormat.contentOffset - TransferFormat.headSize)
        var fields = Fields(fixed)
        task = try fields.task()
        let (entrySize, count) = (try fields.u32(), try fields.u32())
        guard try fields.u32() == 0, count <= UInt32(TransferFormat.contentPages) else {
            throw TransferFormat.violation("has a record of \(count) pages")
        }
        let rest = record.body.dropFirst(fixed.count)
        guard UInt64(entrySize) <= UInt64(rest.count) else {
            throw TransferFormat.violation("has entries beyond the end of their record")
        }
        self.count = Int(count)
        coding = record.coding
        content = rest.dropLast(Int(entrySize))
        entries = rest.suffix(Int(entrySize))
        guard coding == .lz4 || content.count == self.count * PageRun.pageSize else {
            throw TransferFormat.violation("has a record of \(content.count) bytes of content")
        }
        self.lane = lane
        self.lanes = lanes
    }
}

/// Puts the pages of records into a sink, one record after the other.
struct PageUnpacker {
    /// Where a compressed record's content is laid out; there once one has come.
    private var unpacked: [UInt8] = []
    private var hashes: [PageHash] = []

    mutating func unpack(
        _ record: PagesRecord, into sink: any PageSink, _ digest: StreamDigest
    ) throws -> PageCounts {
        guard record.coding == .lz4 else {
            return try unsafe record.content.withUnsafeBytes {
                try unsafe place(record, $0, into: sink, digest)
            }
        }
        if unpacked.isEmpty { unpacked = [UInt8](repeating: 0, count: TransferFormat.contentSize) }
        let size = record.count * PageRun.pageSize
        let isSound = unsafe record.content.withUnsafeBytes { block in
            unsafe unpacked.withUnsafeMutableBytes { bytes in
                unsafe LZ4.decompress(
                    block, into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<size]))
            }
        }
        guard isSound, size > 0 else {
            throw TransferFormat.violation("has a compressed record that is damaged")
        }
        let bytes = unpacked[..<size]
        return try unsafe bytes.withUnsafeBytes {
            try unsafe place(record, $0, into: sink, digest)
        }
    }

    private mutating func place(
        _ record: PagesRecord, _ content: UnsafeRawBufferPointer, into sink: any PageSink,
        _ digest: StreamDigest
    ) throws -> PageCounts {
        let size = PageRun.pageSize
        hashes.removeAll(keepingCapacity: true)
        for page in 0..<record.count {
            let bytes = unsafe content[page * size..<(page + 1) * size]
            hashes.append(unsafe PageHash(of: UnsafeRawBufferPointer(rebasing: bytes)))
        }
        unsafe hashes.withUnsafeBytes { unsafe digest.update($0) }
        var entries = EntryReader(record)
        while let (kind, run, origin) = try entries.next() {
            switch kind {
            case .content:
                let first = Int(entries.counts.content) - run.count
                let bytes = unsafe content[first * size..<first * size + run.byteCount]
                try unsafe sink.keep(
                    UnsafeRawBufferPointer(rebasing: bytes), of: record.task, at: run.address)
            case .zeros: try sink.keepZeros(run, of: record.task)
            case .samePage, .samePages:
                try Self.repeatPages(run, origin, follows: kind == .samePages, record.task, sink)
            }
        }
        return entries.counts
    }

    private static func repeatPages(
        _ run: PageRun, _ origin: PagePlace, follows: Bool, _ task: TaskID, _ sink: any PageSink
    ) throws {
        let size = UInt64(PageRun.pageSize)
        for index in 0..<UInt64(run.count) {
            let page = origin.page + (follows ? index : 0)
            try sink.repeatPage(
                of: TaskID(origin.task), at: page * size, for: task,
                at: run.address + index * size)
        }
    }
}

/// Reads the entries of a record and holds them to each other.
private struct EntryReader {
    private var fields: Fields
    private let record: PagesRecord
    private var page: UInt64 = 0
    private(set) var counts = PageCounts()

    init(_ record: PagesRecord) {
        self.record = record
        fields = Fields(record.entries)
    }

    /// `origin` means something only for repeated pages.
    mutating func next() throws -> (TransferFormat.EntryKind, PageRun, origin: PagePlace)? {
        guard !fields.isAtEnd else {
            guard counts.content == UInt64(record.count) else {
                throw TransferFormat.violation("has content that belongs nowhere")
            }
            return nil
        }
        let head = try fields.varint()
        guard let kind = TransferFormat.EntryKind(rawValue: head & 3) else {
            throw TransferFormat.violation("has an entry of an unknown kind")
        }
        let pages = try fields.pages(from: page, count: head >> 2)
        page = pages.upperBound
        try count(kind, UInt64(pages.count))
        try checkLane(pages)
        let run = PageRun(pages: pages)
        guard kind == .samePage || kind == .samePages else {
            return (kind, run, PagePlace(task: 0, page: 0))
        }
        return (kind, run, try origin(kind == .samePage ? 1 : UInt64(run.count)))
    }

    private mutating func origin(_ count: UInt64) throws -> PagePlace {
        let task = try Fields.task(try fields.varint())
        let first = try fields.varint()
        guard first < TransferFormat.endPage, count <= TransferFormat.endPage - first else {
            throw TransferFormat.violation("repeats pages beyond all addresses")
        }
        try checkLane(first..<first + count)
        return PagePlace(task: task.number, page: first)
    }

    private mutating func count(_ kind: TransferFormat.EntryKind, _ pages: UInt64) throws {
        switch kind {
        case .content:
            counts.content += pages
            guard counts.content <= UInt64(record.count) else {
                throw TransferFormat.violation("names more content than it brings")
            }
        case .zeros:
            counts.zeros += pages
            guard counts.zeros <= Limit.memoryPages else {
                throw GodwitError(.limitExceeded, "the peer names too many zero pages")
            }
        case .samePage, .samePages:
            counts.repeated += pages
            guard counts.repeated <= Limit.repeatedPages else {
                throw GodwitError(.limitExceeded, "the peer repeats too many pages in one record")
            }
        }
    }

    /// Two streams that speak of the same page could overtake each other.
    private func checkLane(_ pages: Range<UInt64>) throws {
        guard record.lanes > 1 else { return }
        let shift = UInt64(TransferFormat.pageShift)
        let (first, last) = (pages.lowerBound << shift, (pages.upperBound - 1) << shift)
        let lane = TransferFormat.lane(of: first, among: record.lanes)
        guard lane == record.lane, first >> 21 == last >> 21 else {
            throw TransferFormat.violation("brings pages of another stream")
        }
    }
}
