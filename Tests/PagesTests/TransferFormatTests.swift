import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

@Suite struct TransferFormatTests {
    @Test func `the stream is these bytes`() async throws {
        let link = TransferLink.pair()
        let stream = RecordingStream(link.source)
        let sink = TestSink()
        async let received = PageTarget(sink: sink).receive(from: [link.target])
        let source = PageSource(streams: [stream], compression: .never)
        let run = PageRun(pages: 16..<20)
        _ = try await source.send([])
        _ = try await source.finish([], present: [own: [run]], covered: [own: [run]])
        _ = try await received
        let counts = [UInt8](repeating: 0, count: 24)
        var golden: [UInt8] = [0x47, 0x44, 0x50, 0x47, 1, 0]
        golden += [UInt8(TransferFormat.pageShift), 0, 0, 0, 1, 0]
        golden += [2, 0, 0, 0, 32, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] + counts
        golden += [2, 0, 0, 0, 32, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0] + counts
        golden += [3, 0, 0, 0, 10, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 16, 4]
        golden += [4, 0, 0, 0, 26, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]
        golden += [UInt8](repeating: 0, count: 8) + littleEndian(TransferFormat.endPage)
        golden += [16, 4]
        #expect(stream.written.prefix(golden.count) == golden[...])
        let digest = unsafe golden.dropFirst(12).withUnsafeBytes { unsafe PageHash(of: $0) }
        let end = littleEndian(digest.low) + littleEndian(digest.high)
        #expect(
            stream.written.dropFirst(golden.count)
                == ([5, 0, 0, 0, 40, 0, 0, 0] + end + counts)[...])
        #expect(sink.covered == [own: [run]])
    }

    @Test func `sizes add up`() {
        #expect(
            TransferFormat.contentOffset + TransferFormat.contentSize < TransferFormat.recordSize)
        let entries = TransferFormat.entriesBeforeFlush + TransferFormat.contentPages
        let most =
            TransferFormat.contentOffset + TransferFormat.contentSize
            + entries * TransferFormat.longestEntry
        #expect(TransferFormat.entriesBeforeFlush > 0 && most <= TransferFormat.recordSize)
    }

    @Test func `numbers of any size come back, and none longer than 64 bits`() throws {
        var random = SplitMix64(seed: 1)
        for shift in UInt64(0)..<64 {
            for value in [1 << shift, (1 << shift) - 1, random.next() >> shift, .max] {
                var bytes: [UInt8] = []
                bytes.append(varint: value)
                var fields = Fields(bytes[...])
                #expect(try fields.varint() == value)
                #expect(fields.isAtEnd)
            }
        }
        for bytes in [[UInt8](repeating: 0xff, count: 10), [0x80], []] {
            var fields = Fields(bytes[...])
            #expect(throws: GodwitError(.protocolViolation, "")) { try fields.varint() }
        }
    }

    @Test func `every page goes by exactly one stream, in order`() {
        var random = SplitMix64(seed: 2)
        for lanes in 1...4 {
            let (runs, pages) = Self.randomRuns(&random)
            var found: Set<UInt64> = []
            for lane in 0..<lanes {
                var pieces = LanePieces(runs, lane: lane, of: lanes)
                var last: UInt64 = 0
                while true {
                    let limit = 1 + random.below(63)
                    let batch = pieces.take(upTo: limit)
                    if batch.isEmpty { break }
                    #expect(batch.reduce(0) { $0 + $1.count } <= limit)
                    for page in batch.flatMap(\.pages) {
                        #expect(page > last && found.insert(page).inserted)
                        #expect(Int((page * UInt64(pageSize)) >> 21) % lanes == lane)
                        last = page
                    }
                }
            }
            #expect(found == pages)
        }
    }

    @Test func `arithmetic of runs is that of sets`() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<50 {
            let (left, leftPages) = Self.randomRuns(&random)
            let (right, rightPages) = Self.randomRuns(&random)
            let union = Runs.union(left, right)
            #expect(Set(union.flatMap(\.pages)) == leftPages.union(rightPages))
            #expect(Runs.ascend(union))
            let both = Runs.intersection(left, right)
            #expect(Set(both.flatMap(\.pages)) == leftPages.intersection(rightPages))
            #expect(Set(Runs.lumped(left).flatMap(\.pages)).isSuperset(of: leftPages))
        }
    }

    @Test func `places among runs are found`() {
        let runs = [PageRun(pages: 10..<13), PageRun(pages: 20..<21), PageRun(pages: 30..<40)]
        let found = Runs.pages(of: runs, at: [0..<1, 2..<5, 13..<14])
        #expect(found.flatMap(\.pages) == [10, 12, 20, 30, 39])
    }

    private static func randomRuns(_ random: inout SplitMix64) -> ([PageRun], Set<UInt64>) {
        var (runs, pages): ([PageRun], Set<UInt64>) = ([], [])
        var page: UInt64 = 1
        for _ in 0..<random.below(20) {
            page += 1 + UInt64(random.below(900))
            let run = page..<page + 1 + UInt64(random.below(1_200))
            runs.append(PageRun(pages: run))
            pages.formUnion(run)
            page = run.upperBound
        }
        return (runs, pages)
    }
}

private func littleEndian(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
}

@Suite struct TransferRepeatTests {
    @Test func `a place that is named holds that content, whatever came before`() {
        var random = SplitMix64(seed: 4)
        for capacity in [2, 8, 64] {
            var table = RepeatTable(capacity: capacity)
            var truth: [PagePlace: PageHash] = [:]
            var hits = 0
            for _ in 0..<20_000 {
                let place = PagePlace(
                    task: 1 + Int32(random.below(3)), page: UInt64(random.below(40)))
                let hash = PageHash(low: UInt64(random.below(30)), high: 1)
                if random.chance(200) {
                    table.forget(place)
                    truth[place] = nil
                } else {
                    table.note(hash, at: place)
                    truth[place] = hash
                }
                let asked = PageHash(low: UInt64(random.below(30)), high: 1)
                if let found = table.place(of: asked) {
                    hits += 1
                    #expect(truth[found] == asked)
                }
            }
            #expect(hits > 0)
        }
    }

    @Test func `a content that was noted last is found`() {
        var table = RepeatTable(capacity: 16)
        for page in UInt64(0)..<100 {
            let hash = PageHash(low: page &* 31, high: page)
            let place = PagePlace(task: 1, page: page)
            table.note(hash, at: place)
            #expect(table.place(of: hash) == place)
            #expect(table.place(of: PageHash(low: hash.low, high: hash.high + 1)) == nil)
        }
    }
}

@Suite struct TransferChoiceTests {
    /// Plays records over a link of so many bytes a second and says how many of the last hundred
    /// were compressed.
    private func play(
        _ choice: inout CompressionChoice, link: Double, compressor: Double = 1.7e9,
        ratio: Double = 0.35, records: Int = 600
    ) -> Int {
        let size = 258_048
        var compressed = 0
        for number in 0..<records {
            let isCompressed = choice.compressesNext()
            let packing = isCompressed ? Double(size) / compressor : 0
            if isCompressed { choice.compressed(size, to: Int(Double(size) * ratio), in: packing) }
            let isPacked = isCompressed && ratio < CompressionChoice.worthwhile
            let sent = isPacked ? Int(Double(size) * ratio) : size
            let reading = Double(size) / 4e9
            let copying = Double(sent) / 10e9
            let waiting = max(copying, Double(sent) / link - reading - packing)
            choice.wrote(
                size, sent: sent, reading: reading, compressing: packing, writing: waiting)
            if number >= records - 100, isCompressed { compressed += 1 }
        }
        return compressed
    }

    @Test(arguments: [1e7, 1e8, 4e8])
    func `a slow link is worth compressing for`(link: Double) {
        var choice = CompressionChoice(.measured)
        #expect(play(&choice, link: link) > 60)
    }

    @Test func `a link that is faster than the compressor is not`() {
        var choice = CompressionChoice(.measured)
        #expect(play(&choice, link: 4e9) < 10)
    }

    @Test func `what cannot be compressed is not, however slow the link`() {
        var choice = CompressionChoice(.measured)
        #expect(play(&choice, link: 1e8, ratio: 1) < 10)
    }

    @Test func `a link that changes is followed both ways`() {
        var choice = CompressionChoice(.measured)
        #expect(play(&choice, link: 1e8) > 80)
        #expect(play(&choice, link: 4e9) < 10)
        #expect(play(&choice, link: 1e8) > 80)
    }

    @Test func `an order is an order`() {
        var (never, always) = (CompressionChoice(.never), CompressionChoice(.always))
        #expect(play(&never, link: 1e6) == 0)
        #expect(play(&always, link: 1e10) == 100)
    }
}
