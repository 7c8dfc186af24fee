import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct TransferEndTests {
    @Test(arguments: [1, 3])
    func `cancelling ends a source whose target does not read`(streams: Int) async throws {
        let memory = try TestMemory(pages: 6_000)
        for page in 0..<6_000 { memory.fill(page, seed: UInt64(page)) }
        let pages = [memory.scan()]
        let links = TransferLink.pairs(streams)
        let source = PageSource(streams: links.sources, compression: .never)
        let sending = Task { try await source.send(pages) }
        try await eventually("the links are full", within: 120) {
            source.bytesSent > .kibibytes(512)
        }
        sending.cancel()
        await #expect(throws: GodwitError(.cancelled, "")) { _ = try await sending.value }
        for link in links.targets {
            await #expect(throws: GodwitError(.linkLost, "")) {
                while try await link.read() != nil {}
            }
        }
        withExtendedLifetime(memory) {}
    }

    @Test func `cancelling ends a target that hears nothing`() async throws {
        let links = TransferLink.pairs(2)
        let receiving = Task { try await PageTarget(sink: TestSink()).receive(from: links.targets) }
        try await links.sources[0].write([0x47])
        receiving.cancel()
        await #expect(throws: GodwitError(.cancelled, "")) { _ = try await receiving.value }
        await #expect(throws: GodwitError(.linkLost, "")) { try await links.sources[1].read() }
    }

    @Test func `one stream that breaks ends them all, on both sides`() async throws {
        let memory = try TestMemory(pages: 6_000)
        for page in 0..<6_000 { memory.fill(page, seed: UInt64(page)) }
        let pages = [memory.scan()]
        let links = TransferLink.pairs(3)
        let source = PageSource(streams: links.sources, compression: .never)
        let received = Task { try await PageTarget(sink: TestSink()).receive(from: links.targets) }
        let sent = Task { try await source.send(pages) }
        try await eventually("something has travelled", within: 120) {
            source.bytesSent > .kibibytes(1_024)
        }
        await links.sources[1].cancel()
        await #expect(throws: GodwitError(.linkLost, "")) { _ = try await received.value }
        // Cut before or after the round was whole: the source learns of it now or with the next.
        await #expect(throws: GodwitError(.linkLost, "")) {
            _ = try await sent.value
            _ = try await source.send([])
        }
        withExtendedLifetime(memory) {}
    }

    @Test func `a sink that is full ends the transfer with its reason`() async throws {
        let memory = try TestMemory(pages: 100)
        for page in 0..<100 { memory.fill(page, seed: UInt64(page)) }
        let links = TransferLink.pairs(1)
        let source = PageSource(streams: links.sources)
        let received = Task {
            try await PageTarget(sink: TestSink(limit: 50)).receive(from: links.targets)
        }
        await #expect(throws: GodwitError(.linkLost, "")) { _ = try await source.finish(memory) }
        await #expect(throws: GodwitError(.limitExceeded, "")) { _ = try await received.value }
    }

    @Test func `a page that changes on the way is noticed by both sides`() async throws {
        let memory = try TestMemory(pages: 3)
        for page in 0..<3 { memory.fill(page, seed: UInt64(page)) }
        let (sourceEnd, middle) = TransferLink.pair()
        let (onward, targetEnd) = TransferLink.pair()
        let source = PageSource(streams: [sourceEnd], compression: .never)
        let received = Task { try await PageTarget(sink: TestSink()).receive(from: [targetEnd]) }
        let closing = [memory.scan()]
        let present = memory.presentRuns
        let sent = Task {
            try await source.finish(closing, present: [own: present], covered: [:])
        }
        async let answered: Void = {
            while let bytes = try? await onward.read() { try await middle.write(bytes[...]) }
        }()
        while var bytes = try? await middle.read() {
            if bytes.count > 5_000 { bytes[5_000] ^= 1 }
            try? await onward.write(bytes[...])
        }
        try? await onward.finish()
        await #expect(throws: GodwitError(.memoryDiffers, "")) { _ = try await sent.value }
        await #expect(throws: GodwitError(.memoryDiffers, "")) { _ = try await received.value }
        try await answered
    }

    @Test func `another process is read, and its end is survived`() async throws {
        let (output, input) = try Descriptor.pipe()
        let script = """
            import ctypes, mmap, sys, time
            m = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            for page in range(16384):
                m[page * 4096:page * 4096 + 8] = page.to_bytes(8, "little")
            sys.stdout.write(f"{ctypes.addressof(ctypes.c_char.from_buffer(m))}" + chr(10))
            sys.stdout.flush()
            time.sleep(600)
            """
        let child = try ChildProcess.start(
            Command("python3", ["-c", script]), descriptors: [(input, 1)])
        input.close()
        let text = try await blocking {
            String(decoding: try output.read(upTo: 100), as: UTF8.self)
        }
        let address = try #require(UInt64(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        let run = PageRun(address: address, count: (64 << 20) / pageSize)
        let pages = [DirtyPages(task: own, pid: child.pid, runs: [run])]
        let sink = TestSink()
        _ = try await transfer(streams: 2, into: sink) { source in
            let whole = try await source.send(pages)
            #expect(whole.counts.total == UInt64(run.count) && whole.missing == 0)
            let kept = try #require(sink.pages[own])
            for page in 1..<UInt64(run.count) {
                let bytes = try #require(kept[address + page * UInt64(pageSize)])
                #expect(bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) } == page)
            }
            child.signal(SIGKILL)
            _ = await child.wait()
            let gone = try await source.send(pages)
            #expect(gone.missing == UInt64(run.count))
            _ = try await source.finish([], present: [:], covered: [:])
        }
        #expect(sink.pages == [:])
    }
}
