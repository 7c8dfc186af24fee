import Foundation
import LinuxHost
import MigrationCore
import Testing

@Suite struct TaskMemoryTests {
    @Test func `many spans come in one reading, each page in its place`() throws {
        let memory = try OwnMemory(pages: 4_000)
        defer { memory.free() }
        for page in 0..<4_000 { memory.fill(page, with: UInt8(truncatingIfNeeded: page &* 7)) }
        let wanted = (0..<2_000).map { $0 * 2 }
        let (reading, bytes) = try memory.read(wanted.map { $0..<$0 + 1 })
        #expect(reading == TaskMemory.Reading())
        for (index, page) in wanted.enumerated() {
            let first = bytes[index * pageSize]
            let last = bytes[(index + 1) * pageSize - 1]
            #expect(first == UInt8(truncatingIfNeeded: page &* 7) && first == last)
        }
    }

    @Test func `exactly the missing pages are named, and reading goes on behind them`() throws {
        let memory = try OwnMemory(pages: 64)
        defer { memory.free() }
        for page in 0..<64 { memory.fill(page, with: UInt8(page + 1)) }
        for hole in [0..<1, 10..<12, 30..<31, 63..<64] { memory.unmap(hole) }
        let (reading, bytes) = try memory.read([0..<20, 20..<40, 50..<64])
        #expect(!reading.isGone)
        #expect(reading.missing == [0..<1, 10..<12, 30..<31, 53..<54])
        let missing = Set(reading.missing.flatMap { Array($0) })
        let pages = Array(0..<40) + Array(50..<64)
        for (index, page) in pages.enumerated() where !missing.contains(index) {
            #expect(bytes[index * pageSize] == UInt8(page + 1))
        }
    }

    @Test func `memory under PROT_NONE holds content and is read`() throws {
        let memory = try OwnMemory(pages: 8)
        defer { memory.free() }
        for page in 0..<8 { memory.fill(page, with: 9) }
        memory.protect(2..<5)
        memory.unmap(6..<7)
        let (reading, bytes) = try memory.read([0..<8])
        #expect(reading.missing == [6..<7])
        #expect(bytes[2 * pageSize] == 9 && bytes[5 * pageSize - 1] == 9)
        #expect(bytes[7 * pageSize] == 9)
    }

    @Test func `pages that were never touched are zero`() throws {
        let memory = try OwnMemory(pages: 4)
        defer { memory.free() }
        let (reading, bytes) = try memory.read([0..<4])
        #expect(reading == TaskMemory.Reading())
        #expect(bytes.allSatisfy { $0 == 0 })
    }

    @Test func `a process that has ended is gone, not an error`() async throws {
        let child = try ChildProcess.start(Command("sleep", ["60"]), descriptors: [])
        let memory = try #require(try TaskMemory.open(child.pid))
        child.signal(SIGKILL)
        _ = await child.wait()
        var bytes = [UInt8](repeating: 0, count: pageSize)
        let reading = try unsafe bytes.withUnsafeMutableBytes {
            try unsafe memory.read([TaskMemory.Span(address: 4_096, size: pageSize)], into: $0)
        }
        #expect(reading.isGone)
        #expect(try TaskMemory.open(child.pid) == nil)
    }
}

private let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

/// Anonymous memory of this process, read as if it were another's.
@safe private struct OwnMemory {
    private let base: UnsafeMutableRawPointer
    private let pages: Int

    init(pages: Int) throws {
        // SAFETY: a new private mapping, checked below, unmapped once by `free`.
        let base = unsafe mmap(
            nil, pages * pageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base = unsafe base, unsafe base != MAP_FAILED else {
            throw GodwitError.kernel("map")
        }
        unsafe self.base = base
        self.pages = pages
    }

    func free() { unsafe munmap(base, pages * pageSize) }

    func fill(_ page: Int, with byte: UInt8) {
        unsafe memset(base + page * pageSize, Int32(byte), pageSize)
    }

    /// Lays a file there beyond its end, since another thread might use a place that is free.
    func unmap(_ range: Range<Int>) {
        let file = unsafe open("/proc/self/exe", O_RDONLY)
        // SAFETY: replaces pages of our own mapping only.
        unsafe mmap(
            base + range.lowerBound * pageSize, range.count * pageSize, PROT_READ,
            MAP_PRIVATE | MAP_FIXED, file, 1 << 40)
        close(file)
    }

    func protect(_ range: Range<Int>) {
        unsafe mprotect(base + range.lowerBound * pageSize, range.count * pageSize, PROT_NONE)
    }

    func read(_ ranges: [Range<Int>]) throws -> (TaskMemory.Reading, [UInt8]) {
        let memory = try #require(try TaskMemory.open(getpid()))
        let spans = ranges.map { range in
            let address =
                unsafe UInt64(UInt(bitPattern: base)) + UInt64(range.lowerBound * pageSize)
            return TaskMemory.Span(address: address, size: range.count * pageSize)
        }
        let size = ranges.reduce(0) { $0 + $1.count * pageSize }
        var bytes = [UInt8](repeating: 0xee, count: size)
        let reading = try unsafe bytes.withUnsafeMutableBytes {
            try unsafe memory.read(spans, into: $0)
        }
        return (reading, bytes)
    }
}
