import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

/// Pages that are only named in the last round, and asked for later.
@Suite struct PageServerTests {
    @Test func `pages that are owed are named and not sent`() async throws {
        let memory = try TestMemory(pages: 600)
        for page in 0..<600 { memory.fill(page, seed: UInt64(page)) }
        let sink = TestSink()
        var last: RoundResult?
        _ = try await transfer(streams: 2, into: sink) { source in
            _ = try await source.send([memory.scan()])
            for page in 100..<300 { memory.fill(page, seed: UInt64(1_000 + page)) }
            last = try await source.finish(
                [memory.scan()], present: [own: memory.presentRuns], covered: [own: memory.whole],
                isOwed: true)
        }
        #expect(sink.owed == [own: [PageRun(address: memory.address(100), count: 200)]])
        #expect(last?.counts == PageCounts())
        #expect(sink.pages[own]?.count == 600, "the sink decides what becomes of old content")
    }

    @Test func `a store forgets what it has of pages that are owed`() throws {
        let store = PageStore(limit: .mebibytes(16))
        let content = [UInt8](repeating: 7, count: 600 * pageSize)
        try unsafe content.withUnsafeBytes { try unsafe store.keep($0, of: own, at: 0x20_0000) }
        let owed = PageRun(address: 0x20_0000 + UInt64(500 * pageSize), count: 50)
        try store.owe([owed], of: own)
        #expect(store.owedPages == 50)
        #expect(store.page(of: own, at: owed.address) == .nothing)
        #expect(store.bytes.bytes == UInt64(550 * pageSize))
        // They count as content: nobody may find them zero.
        #expect(store.content()[own]?.reduce(0) { $0 + $1.count } == 600)
    }

    @Test func `requests are answered in order, each with its pages and its number`() async throws {
        let memory = try TestMemory(pages: 200)
        for page in 0..<200 { memory.fill(page, seed: UInt64(page)) }
        memory.fill(60, with: 0)
        let link = TransferLink.pair()
        let server = PageServer(
            stream: link.source, pids: [own: getpid()], compression: .never)
        async let served: Void = server.serve()
        var answers: [UInt8] = []
        for (first, count) in [(50, 20), (0, 1), (100, 100)] {
            try await link.target.write(
                request(own, memory.address(first), UInt64(count))[...])
        }
        try await link.target.finish()
        while let bytes = try await link.target.read() { answers += bytes }
        try await served
        var content: [UInt8] = []
        var rounds: [UInt8] = []
        var at = 12
        while at < answers.count {
            let length = (0..<4).reduce(0) { $0 | Int(answers[at + 4 + $1]) << (8 * $1) }
            if answers[at] == 2 { rounds.append(answers[at + 8]) }
            if answers[at] == 1 {
                let pages = Int(answers[at + 16])
                content += answers[(at + 24)..<(at + 24 + pages * pageSize)]
            }
            at += 8 + length
        }
        #expect(rounds == [1, 2, 3])
        let expected = [50..<60, 61..<70, 0..<1, 100..<200].flatMap { $0.flatMap(memory.bytes) }
        #expect(content == expected)
    }

    @Test(arguments: [
        ("another task", 9, 0 as UInt64, 1 as UInt64, GodwitError.Code.protocolViolation),
        ("too many pages", 7, 0, 513, .limitExceeded),
        ("no pages", 7, 0, 0, .protocolViolation),
        ("a page that is not there", 7, 1 << 40, 1, .kernelRefused),
        ("beyond all addresses", 7, 1 << 56, 1, .protocolViolation),
    ])
    func `a request for nonsense ends the serving`(
        what: String, task: Int32, address: UInt64, count: UInt64, code: GodwitError.Code
    ) async throws {
        let link = TransferLink.pair()
        let server = PageServer(stream: link.source, pids: [own: getpid()])
        try await link.target.write(request(TaskID(task), address, count)[...])
        try await link.target.finish()
        await #expect(throws: GodwitError(code, "")) { try await server.serve() }
    }

    /// Whatever a peer says, it is an error or an answer.
    @Test func `any bytes for requests are survived`() async throws {
        for seed in UInt64(0)..<300 {
            var random = SplitMix64(seed: seed)
            var bytes = request(own, UInt64(random.below(1 << 20)) * UInt64(pageSize), 3)
            for _ in 0...random.below(4) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            let link = TransferLink.pair()
            try await link.target.write(bytes[...])
            try await link.target.finish()
            let server = PageServer(stream: link.source, pids: [own: getpid()])
            await #expect(throws: GodwitError.self, "seed \(seed)") { try await server.serve() }
        }
    }

    /// A sink may work through every page that it is told of.
    @Test(arguments: [4 as UInt8, 6])
    func `a list of more pages than an instance can have is refused`(kind: UInt8) async throws {
        var bytes: [UInt8] = Array("GDPG".utf8)
        bytes += [1, 0, UInt8(TransferFormat.pageShift), 0, 0, 0, 1, 0]
        bytes +=
            [2, 0, 0, 0, 32, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0] + [UInt8](repeating: 0, count: 24)
        for (word, count) in [(4 as UInt8, kind == 4 ? Limit.memoryPages + 1 : 1), (6, 1 << 40)] {
            var list: [UInt8] = []
            list.append(varint: 0)
            list.append(varint: count)
            let end = (0..<8).map { UInt8(truncatingIfNeeded: TransferFormat.endPage >> (8 * $0)) }
            let window = word == 4 ? [UInt8](repeating: 0, count: 8) + end : []
            let body = [7, 0, 0, 0, 0, 0, 0, 0] + window + list
            bytes += [word, 0, 0, 0, UInt8(body.count), 0, 0, 0] + body
        }
        let peer = DeafPeer(saying: bytes, inPiecesOf: 1 << 16)
        await #expect(throws: GodwitError(.limitExceeded, "")) {
            _ = try await PageTarget(sink: PageStore(limit: .mebibytes(1))).receive(from: [peer])
        }
    }

    /// A record of kind 7.
    private func request(_ task: TaskID, _ address: UInt64, _ count: UInt64) -> [UInt8] {
        var list: [UInt8] = []
        list.append(varint: address / UInt64(pageSize))
        list.append(varint: count)
        let task = (0..<4).map { UInt8(truncatingIfNeeded: task.number >> (8 * $0)) }
        return [7, 0, 0, 0, UInt8(8 + list.count), 0, 0, 0] + task + [0, 0, 0, 0] + list
    }
}
