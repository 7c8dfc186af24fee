import Foundation
import MigrationCore
import Pages
import Synchronization
import TestSupport
import Testing

let pageSize = PageRun.pageSize
let own = TaskID(7)

/// A sink that holds single pages and objects to what no target may do.
final class TestSink: PageSink {
    private struct State {
        var pages: [TaskID: [UInt64: [UInt8]]] = [:]
        var covered: [TaskID: [PageRun]] = [:]
        var owed: [TaskID: [PageRun]] = [:]
        var windows: [TaskID: UInt64] = [:]
        var count = 0
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int = .max) { self.limit = limit }

    var pages: [TaskID: [UInt64: [UInt8]]] { state.withLock { $0.pages.filter { !$1.isEmpty } } }
    var covered: [TaskID: [PageRun]] { state.withLock { $0.covered } }
    var owed: [TaskID: [PageRun]] { state.withLock { $0.owed } }

    func keep(_ content: UnsafeRawBufferPointer, of task: TaskID, at address: UInt64) throws {
        precondition(content.count > 0 && content.count % pageSize == 0)
        try state.withLock { state in
            for page in 0..<content.count / pageSize {
                let bytes = unsafe Array(content[page * pageSize..<(page + 1) * pageSize])
                try put(bytes, task, address + UInt64(page * pageSize), &state)
            }
        }
    }

    private func put(
        _ bytes: [UInt8], _ task: TaskID, _ address: UInt64, _ state: inout State
    ) throws {
        state.count += 1
        guard state.count <= limit else { throw GodwitError(.limitExceeded, "the sink is full") }
        state.pages[task, default: [:]][address] = bytes
    }

    func keepZeros(_ run: PageRun, of task: TaskID) throws {
        state.withLock { state in
            state.pages[task] = state.pages[task]?.filter { address, _ in
                !(run.address..<run.end).contains(address)
            }
        }
    }

    func repeatPage(
        of origin: TaskID, at originAddress: UInt64, for task: TaskID, at address: UInt64
    ) throws {
        try state.withLock { state in
            guard let bytes = state.pages[origin]?[originAddress] else {
                throw GodwitError(.protocolViolation, "nothing is kept there")
            }
            try put(bytes, task, address, &state)
        }
    }

    func cover(_ runs: [PageRun], of task: TaskID) throws {
        state.withLock { $0.covered[task, default: []] += runs }
    }

    func retain(only runs: [PageRun], of task: TaskID, in window: Range<UInt64>) throws {
        precondition(
            runs.allSatisfy { window.lowerBound <= $0.address && $0.end <= window.upperBound })
        precondition(zip(runs, runs.dropFirst()).allSatisfy { $0.end <= $1.address })
        state.withLock { state in
            precondition(state.windows[task, default: 0] == window.lowerBound)
            state.windows[task] = window.upperBound
            state.pages[task] = state.pages[task]?.filter { address, _ in
                !window.contains(address)
                    || runs.contains { ($0.address..<$0.end).contains(address) }
            }
        }
    }

    func owe(_ runs: [PageRun], of task: TaskID) throws {
        state.withLock { $0.owed[task, default: []] += runs }
    }

    func retain(only tasks: Set<TaskID>) throws {
        state.withLock { state in
            state.pages = state.pages.filter { tasks.contains($0.key) }
            state.covered = state.covered.filter { tasks.contains($0.key) }
        }
    }
}

/// Memory of this process that is changed at random and read as if it were an instance's.
@safe final class TestMemory {
    let pages: Int
    private let base: UnsafeMutableRawPointer
    private(set) var present: Set<Int> = []
    /// Written since the last scan.
    private var dirty: Set<Int> = []

    init(pages: Int) throws {
        // SAFETY: a new private mapping, checked below, unmapped once by `deinit`.
        let base = unsafe mmap(
            nil, pages * pageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base = unsafe base, unsafe base != MAP_FAILED else {
            throw GodwitError(.kernelRefused, "the test's memory could not be mapped")
        }
        unsafe self.base = base
        self.pages = pages
    }

    deinit { unsafe munmap(base, pages * pageSize) }

    func address(_ page: Int) -> UInt64 {
        unsafe UInt64(UInt(bitPattern: base)) + UInt64(page * pageSize)
    }

    func bytes(_ page: Int) -> [UInt8] {
        unsafe Array(
            UnsafeRawBufferPointer(start: base + page * pageSize, count: pageSize))
    }

    /// The page is written by somebody else, or with what stands in it.
    func touch(_ page: Int) {
        unsafe (base + page * pageSize).storeBytes(
            of: (base + page * pageSize).load(as: UInt8.self), as: UInt8.self)
        present.insert(page)
        dirty.insert(page)
    }

    /// Writes each word of the page.
    func fill(_ page: Int, _ word: (Int) -> UInt64) {
        for index in 0..<pageSize / 8 {
            unsafe (base + page * pageSize).storeBytes(
                of: word(index), toByteOffset: index * 8, as: UInt64.self)
        }
        present.insert(page)
        dirty.insert(page)
    }

    func fill(_ page: Int, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        fill(page) { _ in random.next() }
    }

    func fill(_ page: Int, with byte: UInt8) {
        fill(page) { _ in UInt64(byte) &* 0x0101_0101_0101_0101 }
    }

    func copy(_ from: Int, to page: Int) {
        fill(page) { index in
            unsafe (base + from * pageSize).load(fromByteOffset: index * 8, as: UInt64.self)
        }
    }

    /// The page is gone, and zero; no tracker says so.
    func drop(_ page: Int) {
        unsafe madvise(base + page * pageSize, pageSize, MADV_DONTNEED)
        present.remove(page)
        dirty.remove(page)
    }

    /// One change of any kind to a few pages.
    func change(_ random: inout SplitMix64) {
        let first = random.below(pages)
        let count = min(pages - first, 1 + random.below(24))
        let kind = random.below(8)
        let other = random.below(pages)
        for page in first..<first + count {
            switch kind {
            case 0, 1, 2: fill(page, seed: random.next())
            case 3: fill(page, with: 0)
            case 4: fill(page, with: 0x5a)
            case 5: copy(other, to: page)
            case 6: if page != other { copy((other + page - first) % pages, to: page) }
            default: drop(page)
            }
        }
    }

    func scan(as task: TaskID = own) -> DirtyPages {
        defer { dirty = [] }
        return DirtyPages(task: task, pid: getpid(), runs: runs(dirty))
    }

    var presentRuns: [PageRun] { runs(present) }
    var whole: [PageRun] { [PageRun(address: address(0), count: pages)] }

    func runs(_ pages: Set<Int>) -> [PageRun] {
        var runs: [Range<Int>] = []
        for page in pages.sorted() {
            if let last = runs.last, last.upperBound == page {
                runs[runs.count - 1] = last.lowerBound..<page + 1
            } else {
                runs.append(page..<page + 1)
            }
        }
        return runs.map { PageRun(address: address($0.lowerBound), count: $0.count) }
    }

    /// What a target has to hold: pages that are present and not zero.
    var content: [UInt64: [UInt8]] {
        var result: [UInt64: [UInt8]] = [:]
        for page in present {
            let bytes = bytes(page)
            if bytes.contains(where: { $0 != 0 }) { result[address(page)] = bytes }
        }
        return result
    }
}

extension PageSource {
    /// The last round of one memory.
    nonisolated func finish(_ memory: TestMemory) async throws -> RoundResult {
        try await finish(
            [memory.scan()], present: [own: memory.presentRuns], covered: [own: memory.whole])
    }
}

/// Runs both ends; the body has the source's.
func transfer(
    streams: Int, _ compression: MemoryOptions.Compression = .measured, into sink: TestSink,
    _ body: (PageSource) async throws -> Void
) async throws -> PageCounts {
    let links = TransferLink.pairs(streams)
    async let received = PageTarget(sink: sink).receive(from: links.targets)
    let source = PageSource(streams: links.sources, compression: compression)
    do { try await body(source) } catch {
        await source.cancel()
        throw error
    }
    return try await received
}
