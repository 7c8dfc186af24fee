import Foundation
import LinuxHost
import MigrationCore
import Pages
import Synchronization
import TestSupport
import Testing

@Suite struct TransferTests {
    @Test(arguments: [1, 2, 4], [MemoryOptions.Compression.never, .always, .measured])
    func `after any rounds the target holds what is there, and nothing else`(
        streams: Int, compression: MemoryOptions.Compression
    ) async throws {
        for seed in UInt64(0)..<6 {
            var random = SplitMix64(seed: seed &* 3 &+ UInt64(streams))
            let memory = try TestMemory(pages: 1_700)
            let sink = TestSink()
            var sent = PageCounts()
            let received = try await transfer(streams: streams, compression, into: sink) { source in
                for _ in 0..<random.below(6) {
                    for _ in 0..<random.below(80) { memory.change(&random) }
                    sent += try await source.send([memory.scan()]).counts
                }
                for _ in 0..<random.below(80) { memory.change(&random) }
                sent += try await source.finish(memory).counts
            }
            #expect(sink.pages[own] ?? [:] == memory.content, "seed \(seed)")
            #expect(sink.covered == [own: memory.whole])
            #expect(received == sent)
        }
    }

    @Test func `a page that goes away after it was sent is not kept`() async throws {
        let memory = try TestMemory(pages: 600)
        for page in 0..<600 { memory.fill(page, seed: UInt64(page)) }
        let sink = TestSink()
        _ = try await transfer(streams: 2, into: sink) { source in
            _ = try await source.send([memory.scan()])
            for page in stride(from: 0, to: 600, by: 2) { memory.drop(page) }
            _ = try await source.finish(memory)
        }
        #expect(sink.pages == [own: memory.content])
        #expect(sink.pages[own]?.count == 300)
    }

    @Test func `a task that ends between rounds is forgotten`() async throws {
        let (memory, other) = (try TestMemory(pages: 10), try TestMemory(pages: 10))
        for page in 0..<10 { memory.fill(page, seed: UInt64(page)) }
        for page in 0..<10 { other.fill(page, seed: UInt64(page)) }
        let sink = TestSink()
        _ = try await transfer(streams: 2, into: sink) { source in
            _ = try await source.send([memory.scan(), other.scan(as: TaskID(9))])
            _ = try await source.finish(memory)
        }
        #expect(sink.pages == [own: memory.content])
    }

    @Test func `a process that has gone is no error while the instance runs`() async throws {
        let child = try ChildProcess.start(Command("true", []), descriptors: [])
        _ = await child.wait()
        let run = PageRun(address: 1 << 30, count: 40)
        let sink = TestSink()
        _ = try await transfer(streams: 1, into: sink) { source in
            let result = try await source.send([
                DirtyPages(task: TaskID(3), pid: child.pid, runs: [run])
            ])
            #expect(result.missing == 40)
            #expect(result.counts == PageCounts())
            _ = try await source.finish([], present: [:], covered: [:])
        }
        #expect(sink.pages == [:])
    }

    @Test func `a page that cannot be read once is read in the end`() async throws {
        let memory = try TestMemory(pages: 30)
        for page in 0..<30 { memory.fill(page, seed: UInt64(page)) }
        let child = try ChildProcess.start(Command("true", []), descriptors: [])
        _ = await child.wait()
        let sink = TestSink()
        _ = try await transfer(streams: 2, into: sink) { source in
            let runs = memory.scan().runs
            let gone = try await source.send([DirtyPages(task: own, pid: child.pid, runs: runs)])
            #expect(gone.missing == 30)
            _ = try await source.send([DirtyPages(task: own, pid: getpid(), runs: [])])
            _ = try await source.finish(memory)
        }
        #expect(sink.pages == [own: memory.content])
    }

    @Test func `a page that is there and cannot be read stops the move`() async throws {
        let child = try ChildProcess.start(Command("true", []), descriptors: [])
        _ = await child.wait()
        let run = PageRun(address: 1 << 30, count: 40)
        await #expect(throws: GodwitError(.kernelRefused, "")) {
            _ = try await transfer(streams: 1, into: TestSink()) { source in
                _ = try await source.finish(
                    [DirtyPages(task: own, pid: child.pid, runs: [run])],
                    present: [own: [run]], covered: [own: [run]])
            }
        }
    }

    @Test(arguments: [1, 2, 4])
    func `pages that change while they are read are right in the end`(streams: Int) async throws {
        let memory = try TestMemory(pages: 1_200)
        for page in 0..<1_200 { memory.fill(page, seed: UInt64(page)) }
        let (first, count) = (memory.address(300), 600)
        let flag = Flag()
        let sink = TestSink()
        _ = try await transfer(streams: streams, into: sink) { source in
            async let writing: Void = blocking {
                var version: UInt64 = 0
                while !flag.isOver.load(ordering: .relaxed) {
                    version += 1
                    let page = Int(version &* 7 % UInt64(count)) * pageSize
                    // SAFETY: inside of `memory`, which outlives this; races with the reader are
                    // the purpose.
                    guard
                        let at = unsafe UnsafeMutablePointer<UInt64>(
                            bitPattern: UInt(first) + UInt(page))
                    else { continue }
                    for word in 0..<pageSize / 8 { unsafe at[word] = version }
                }
            }
            _ = try await source.send([memory.scan()])
            for _ in 0..<5 {
                for page in 300..<900 { memory.touch(page) }
                _ = try await source.send([memory.scan()])
            }
            flag.isOver.store(true, ordering: .relaxed)
            try await writing
            for page in 300..<900 { memory.touch(page) }
            _ = try await source.finish(memory)
        }
        #expect(sink.pages == [own: memory.content])
    }

    @Test func `zeros and repeats hardly travel, and what is unchanged does not`() async throws {
        let memory = try TestMemory(pages: 3_000)
        for page in 0..<1_000 { memory.fill(page, with: 0) }
        for page in 1_000..<2_000 { memory.fill(page, with: 0xaa) }
        for page in 2_000..<3_000 { memory.fill(page, seed: UInt64(page)) }
        let sink = TestSink()
        _ = try await transfer(streams: 1, .never, into: sink) { source in
            let first = try await source.send([memory.scan()])
            #expect(first.counts.zeros == 1_000)
            #expect(first.counts.repeated == 999)
            #expect(first.counts.content == 1_001)
            #expect(first.bytes < ByteCount(bytes: UInt64(1_001 * pageSize + 10_000)))
            for page in 2_000..<3_000 { memory.touch(page) }
            let second = try await source.send([memory.scan()])
            #expect(second.unchanged > 980)
            #expect(second.bytes < .kibibytes(100))
            _ = try await source.finish(memory)
        }
        #expect(sink.pages == [own: memory.content])
    }

    @Test func `a child's pages repeat its parent's`() async throws {
        let memory = try TestMemory(pages: 1_500)
        for page in 0..<1_500 { memory.fill(page, seed: UInt64(page)) }
        let (parent, child) = (memory.scan(), TaskID(8))
        let sink = TestSink()
        _ = try await transfer(streams: 2, into: sink) { source in
            let forked = DirtyPages(task: child, pid: getpid(), runs: parent.runs)
            let result = try await source.send([parent, forked])
            #expect(result.counts.repeated > 1_450 && result.counts.total == 3_000)
            let present = [own: memory.presentRuns, child: memory.presentRuns]
            _ = try await source.finish([], present: present, covered: present)
        }
        #expect(sink.pages == [own: memory.content, child: memory.content])
    }

    @Test func `compressible pages travel compressed`() async throws {
        let memory = try TestMemory(pages: 500)
        for page in 0..<500 {
            memory.fill(page) { $0 == 0 ? UInt64(page) : 0 }
        }
        let sink = TestSink()
        _ = try await transfer(streams: 1, .always, into: sink) { source in
            let result = try await source.finish(memory)
            #expect(result.bytes < ByteCount(bytes: UInt64(500 * pageSize / 10)))
        }
        #expect(sink.pages[own]?.count == 499)
        #expect(sink.pages == [own: memory.content])
    }

    @Test func `memory in single pages is described in any number of records`() async throws {
        let memory = try TestMemory(pages: 90_000)
        for page in stride(from: 0, to: 90_000, by: 2) { memory.touch(page) }
        let sink = TestSink()
        _ = try await transfer(streams: 2, into: sink) { source in
            let result = try await source.finish(memory)
            #expect(result.counts.zeros == 45_000)
        }
        #expect(sink.covered == [own: memory.whole])
    }
}

private final class Flag: Sendable {
    let isOver = Atomic(false)
}
