import Foundation
import LinuxHost
import MigrationCore
import Pages
import Testing

/// The server against the kernel, with this process as the restored task.
@Suite(.serialized, .enabled(if: OwnMemory.isPossible)) struct HostLazyPagesServerTests {
    @Test func `pages come by fault and in the background, others are zero`() async throws {
        let memory = try OwnMemory(pages: 2000, pause: .milliseconds(2))
        try memory.keep(100..<1900)
        memory.server.complete(nil)
        async let done = memory.server.run()
        #expect(try await memory.handOver(zombie: 9) == Array("y".utf8))
        for page in [1899, 100, 0, 1999, 1000] {
            let expected = (100..<1900).contains(page) ? OwnMemory.word(page) : 0
            #expect(try await memory.read(memory.address(page)) == expected)
        }
        let report = try await done
        for page in 0..<2000 {
            let expected = (100..<1900).contains(page) ? OwnMemory.word(page) : 0
            #expect(try await memory.read(memory.address(page)) == expected)
        }
        #expect(report.tasks == 1 && report.pagesDropped == 0 && report.pagesLeft == 0)
        #expect(report.pagesByFault + report.pagesInBackground == 1800)
        #expect(memory.store.bytes.bytes == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: memory.directory) == [])
    }

    @Test func `memory that is emptied or unmapped loses its pages`()
        async throws
    {
        // So slow that the events come first.
        let memory = try OwnMemory(pages: 4096, pause: .milliseconds(100))
        try memory.keep(0..<4096)
        memory.server.complete(nil)
        async let done = memory.server.run()
        _ = try await memory.handOver()
        let size = PageRun.pageSize
        try await blocking {
            try unsafe act(madvise(pointer(memory.address(10)), 20 * size, MADV_DONTNEED))
            try unsafe act(munmap(pointer(memory.address(100)), 50 * size))
            // Fresh memory in the place of old: nothing of the server's business.
            let fresh = unsafe mmap(
                pointer(memory.address(700)), 8 * size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
            try act(unsafe fresh == pointer(memory.address(700)) ? 0 : -1)
        }
        for page in [9, 30, 99, 150, 599, 664, 699, 708, 4095] {
            #expect(try await memory.read(memory.address(page)) == OwnMemory.word(page))
        }
        for page in [10, 29, 700, 707] {
            #expect(try await memory.read(memory.address(page)) == 0)
        }
        let report = try await done
        #expect(report.pagesDropped == 0)
        // What was lost was never placed, unless the background had been there before.
        #expect(report.pagesByFault + report.pagesInBackground >= 4096 - 78)
        #expect(try await memory.read(memory.address(20)) == 0)
    }

    @Test func `CRIU is refused when kept memory would not wait for its pages`() async throws {
        let memory = try OwnMemory(pages: 16)
        try memory.keep(0..<17)
        memory.server.complete(nil)
        async let done = memory.server.run()
        #expect(try await memory.handOver() == Array("n".utf8))
        do {
            _ = try await done
            Issue.record("no error")
        } catch let error as GodwitError {
            #expect([.restoreFailed, .linkLost].contains(error.code), "\(error)")
        }
    }

    @Test func `kept memory of a task that CRIU did not restore is refused`() async throws {
        let memory = try OwnMemory(pages: 16)
        let page = [UInt8](repeating: 1, count: PageRun.pageSize)
        try unsafe page.withUnsafeBytes {
            try unsafe memory.store.keep($0, of: TaskID(8), at: memory.address(0))
        }
        memory.server.complete(nil)
        async let done = memory.server.run()
        #expect(try await memory.handOver() == Array("n".utf8))
        do {
            _ = try await done
            Issue.record("no error")
        } catch let error as GodwitError {
            #expect([.restoreFailed, .linkLost].contains(error.code), "\(error)")
        }
    }

    @Test func `a restore that breaks off ends the server with an error`() async throws {
        for prefix in [[], [1, 0], OwnMemory.bytes(7), OwnMemory.bytes(0)] as [[UInt8]] {
            let memory = try OwnMemory(pages: 1)
            memory.server.complete(nil)
            async let done = memory.server.run()
            let connection = try memory.connect()
            try connection.write(prefix[...])
            connection.close()
            do {
                _ = try await done
                Issue.record("no error")
            } catch let error as GodwitError {
                #expect([.restoreFailed, .toolFailed, .linkLost].contains(error.code), "\(error)")
            }
        }
    }

    @Test func `a server that is cancelled ends and frees its names`() async throws {
        let memory = try OwnMemory(pages: 4)
        // Cancelled below, as a caller would.
        let running = Task { try await memory.server.run() }
        running.cancel()
        await #expect(throws: CancellationError.self) { _ = try await running.value }
        #expect(try FileManager.default.contentsOfDirectory(atPath: memory.directory) == [])
    }
}

private func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
    unsafe UnsafeMutableRawPointer(bitPattern: UInt(address))
}

private func act(_ result: Int32) throws {
    guard result == 0 else { throw GodwitError.kernel("change memory") }
}
