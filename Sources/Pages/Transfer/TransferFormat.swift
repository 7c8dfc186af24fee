import LinuxHost
import MigrationCore

/// How memory travels on a stream. Numbers are little-endian, `varint` as in protocol buffers: 7
/// bits a byte, the low ones first.
///
/// The source says, once:
///
///     0        4        6            7         8        10        12
///     +--------+--------+------------+---------+--------+---------+
///     | "GDPG" | v: u16 | page shift | 0: u8   | stream | streams |
///     +--------+--------+------------+---------+--------+---------+
///
/// and then records, none longer than `Limit.memoryRecord`, so that each fits one frame of the
/// wire:
///
///     0      1        2        4             8
///     +------+--------+--------+-------------+------+
///     | kind | coding | 0: u16 | length: u32 | body |      length: bytes of the body
///     +------+--------+--------+-------------+------+
///
///     1 pages     task: u32 | size of entries: u32 | pages of content: u32 | 0: u32
///                 | content, as `coding` says: 0 raw, 1 one LZ4 block | entries
///     2 round     round: u32 | 1 if it is the last: u32 | counts            answered by the same
///     3 covered   task: u32 | 0: u32 | gap, count ...                       stream 0 only
///     4 present   task: u32 | 0: u32 | first page: u64 | end: u64 | gap, count ...   stream 0 only
///     5 end       digest: low u64, high u64 | counts                        answered by the same
///     6 owed      task: u32 | 0: u32 | gap, count ...                       stream 0 only
///     7 request   as `owed`, from the target, on a stream of `PageServer`
///
/// An entry of `pages` is `varint(count << 2 | kind) | varint(gap)`, the gap in pages from the end
/// of the entry before (from page 0 for the first), so that entries ascend. Kinds: 0 content, the
/// next `count` pages of it; 1 zeros; 2 the one page of `varint(task) | varint(page)` again and
/// again; 3 the pages that begin there, one after the other. Counts are pages with content, of
/// zeros and repeated, u64 each: of this stream in this round, in `end` of this stream in all
/// rounds.
///
/// Rounds come first, the last of them marked; then `covered`, `present` and `owed`, each ascending
/// by task and page; then `end`. What is said of a range of 2 MiB always goes by the same stream,
/// whatever the task, so that no page is overtaken by an older version of itself. A repeated page
/// is what the same stream has brought, and the target still keeps, for that address.
///
/// `present` says what the frozen tasks have in their tables: what came once and is not named is
/// gone, and zero. Its windows (first page to end) cover all pages of a task; tasks not named have
/// ended. The target applies it once all streams have brought their last round.
///
/// `owed` names pages that are present and have not travelled: the target fetches them later, on
/// streams of `PageServer`. Such a stream begins like the others (as stream 0 of 1); then the
/// target says `request`s, and the source answers each in turn with `pages`, none of them repeated,
/// and `round`, with the request's number from 1.
///
/// The digest is XXH3 with 128 bits over all records before `end`, heads included, where each page
/// of content stands by its own hash of 128 bits: so it holds what the pages are and not how they
/// were coded.
package enum TransferFormat {
    static let magic: [UInt8] = Array("GDPG".utf8)
    static let version: UInt16 = 1
    static let openingSize = 12
    static let headSize = 8
    /// What stands before the content of a record of pages, its head included.
    package static let contentOffset = headSize + 16
    package static let recordSize = Int(Limit.memoryRecord.bytes)
    package static let pageShift = PageRun.pageSize.trailingZeroBitCount
    /// Enough for the entries that a builder makes before it sends what it has.
    private static let entriesSize = 4_096 - contentOffset
    /// Pages of content in one record, 63 with 4 KiB.
    package static let contentPages = (recordSize - contentOffset - entriesSize) / PageRun.pageSize
    package static let contentSize = contentPages * PageRun.pageSize
    /// The longest entry: count, gap, task, page.
    package static let longestEntry = 6 + 7 + 4 + 7
    /// With fewer entries than this, those of one more reading fit.
    package static let entriesBeforeFlush = entriesSize / longestEntry - contentPages
    package static let endPage = Limit.userAddress >> UInt64(pageShift)

    enum Kind: UInt8 { case pages = 1, round, covered, present, end, owed, request }
    enum Coding: UInt8 { case raw = 0, lz4 }
    enum EntryKind: UInt64 { case content = 0, zeros, samePage, samePages }

    static func lane(of address: UInt64, among lanes: Int) -> Int {
        Int((address >> 21) % UInt64(lanes))
    }

    static func violation(_ message: String) -> GodwitError {
        GodwitError(.protocolViolation, "the memory stream \(message)")
    }

    static func opening(stream: Int, of streams: Int) -> [UInt8] {
        magic + CheckpointFormat.bytes(version) + [UInt8(pageShift), 0]
            + CheckpointFormat.bytes(UInt16(stream)) + CheckpointFormat.bytes(UInt16(streams))
    }

    static func head(_ kind: Kind, _ coding: Coding = .raw, length: Int) -> [UInt8] {
        [kind.rawValue, coding.rawValue, 0, 0] + CheckpointFormat.bytes(UInt32(length))
    }

    static func record(_ kind: Kind, _ body: [UInt8]) -> [UInt8] {
        head(kind, length: body.count) + body
    }
}

/// Pages that one stream, or all of them, have brought.
package struct PageCounts: Codable, Equatable, Sendable {
    /// With content, which travelled.
    package var content: UInt64 = 0
    package var zeros: UInt64 = 0
    /// With content that had travelled before.
    package var repeated: UInt64 = 0

    package init() {}

    package var total: UInt64 { content &+ zeros &+ repeated }

    package static func += (left: inout PageCounts, right: PageCounts) {
        // Wraps: a peer's counts may add up to anything, and both sides wrap alike.
        left.content &+= right.content
        left.zeros &+= right.zeros
        left.repeated &+= right.repeated
    }

    static let encodedSize = 24
    var encoded: [UInt8] {
        CheckpointFormat.bytes(content) + CheckpointFormat.bytes(zeros)
            + CheckpointFormat.bytes(repeated)
    }
}

/// The end of a round on one stream, as both sides say it.
struct RoundEnd: Equatable {
    var round: UInt32
    var isLast: Bool
    var counts: PageCounts

    var encoded: [UInt8] {
        TransferFormat.record(
            .round,
            CheckpointFormat.bytes(round) + CheckpointFormat.bytes(UInt32(isLast ? 1 : 0))
                + counts.encoded)
    }

    init(round: UInt32, isLast: Bool, counts: PageCounts) {
        self.round = round
        self.isLast = isLast
        self.counts = counts
    }

    init(_ body: ArraySlice<UInt8>) throws {
        var fields = Fields(body)
        round = try fields.u32()
        let mark = try fields.u32()
        guard mark <= 1 else { throw TransferFormat.violation("marks a round's end with \(mark)") }
        isLast = mark == 1
        counts = try fields.counts()
        try fields.end()
    }
}

/// The last word of each side on a stream.
struct StreamEnd: Equatable {
    var digest: PageHash
    var counts: PageCounts

    var encoded: [UInt8] {
        TransferFormat.record(
            .end,
            CheckpointFormat.bytes(digest.low) + CheckpointFormat.bytes(digest.high)
                + counts.encoded)
    }

    init(digest: PageHash, counts: PageCounts) {
        self.digest = digest
        self.counts = counts
    }

    init(_ body: ArraySlice<UInt8>) throws {
        var fields = Fields(body)
        digest = PageHash(low: try fields.u64(), high: try fields.u64())
        counts = try fields.counts()
        try fields.end()
    }

    static let difference = GodwitError(
        .memoryDiffers, "the memory that arrived on the target is not what the source sent",
        remedy: "move again; if it comes back, check the memory of both hosts")
}
