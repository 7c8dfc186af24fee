import LinuxHost
package import MigrationCore
import Synchronization

/// Keeps an instance's pages in memory until they are placed. Never on a disk and in no core dump.
///
/// Any number of threads may write and read at once. Content lies in chunks of 512 pages, each of
/// which takes memory for the pages that were written to it.
package final class PageStore: PageSink {
    struct Chunk {
        var memory: PrivateMemory?
        var content = PageSet()
        var zeros = PageSet()
        /// Still to come.
        var owed = PageSet()

        var isEmpty: Bool { content.isEmpty && zeros.isEmpty && owed.isEmpty }
    }

    /// Chunks are spread over these by key, so that threads rarely wait for each other.
    private final class Stripe: Sendable {
        let chunks = Mutex<[ChunkKey: Chunk]>([:])
    }

    /// What is known of a page.
    package enum Held: Equatable, Sendable {
        case nothing
        case zeros
        case content([UInt8])
    }

    private let stripes = (0..<64).map { _ in Stripe() }
    private let limit: Int
    private let held = Atomic(0)

    /// - Parameter limit: what all content together may take; zero pages take nothing.
    package init(limit: ByteCount) { self.limit = Int(clamping: limit.bytes) }

    /// What the content that is kept takes.
    package var bytes: ByteCount { ByteCount(bytes: UInt64(held.load(ordering: .relaxed))) }

    package func keep(
        _ content: UnsafeRawBufferPointer, of task: TaskID, at address: UInt64
    ) throws {
        precondition(content.count % PageRun.pageSize == 0)
        var offset = 0
        for part in chunks(of: task, at: address, count: content.count / PageRun.pageSize) {
            let length = part.pages.count * PageRun.pageSize
            let source = unsafe UnsafeRawBufferPointer(rebasing: content[offset..<offset + length])
            try withChunk(part.key) { try unsafe write(source, to: part.pages, of: &$0) }
            offset += length
        }
    }

    package func keepZeros(_ run: PageRun, of task: TaskID) throws {
        for part in chunks(of: task, at: run.address, count: run.count) {
            withChunk(part.key) { chunk in
                forget(PageSet(part.pages), of: &chunk)
                chunk.zeros.insert(part.pages)
            }
        }
    }

    package func repeatPage(
        of origin: TaskID, at originAddress: UInt64, for task: TaskID, at address: UInt64
    ) throws {
        let known = chunks(of: origin, at: originAddress, count: 1)[0]
        let chunk = chunk(known.key)
        let page = known.pages.lowerBound
        if chunk.zeros.contains(page) {
            return try keepZeros(PageRun(address: address, count: 1), of: task)
        }
        guard let memory = chunk.memory, chunk.content.contains(page) else {
            throw GodwitError(
                .protocolViolation,
                "the peer repeats a page that it has not sent: task \(origin.number), "
                    + "address \(String(originAddress, radix: 16))")
        }
        // SAFETY: `memory` holds the bytes while this runs.
        try unsafe keep(
            UnsafeRawBufferPointer(memory.bytes(byteRange(known.pages))), of: task, at: address)
    }

    package func contains(_ task: TaskID, at address: UInt64) -> Bool {
        let place = chunks(of: task, at: address, count: 1)[0]
        let chunk = chunk(place.key)
        return chunk.content.union(chunk.zeros).contains(place.pages.lowerBound)
    }

    /// One page, copied.
    package func page(of task: TaskID, at address: UInt64) -> Held {
        let place = chunks(of: task, at: address, count: 1)[0]
        let chunk = chunk(place.key)
        if chunk.zeros.contains(place.pages.lowerBound) { return .zeros }
        guard let memory = chunk.memory, chunk.content.contains(place.pages.lowerBound) else {
            return .nothing
        }
        // SAFETY: `memory` holds the bytes while this runs.
        return unsafe .content(Array(memory.bytes(byteRange(place.pages))))
    }

    /// How many pages are still to come.
    package var owedPages: Int { allChunks().values.reduce(0) { $0 + $1.owed.count } }

    /// The pages of all tasks that have content, here or still to come, in ascending order.
    package func content() -> [TaskID: [PageRun]] {
        var runs: [TaskID: [PageRun]] = [:]
        for (key, chunk) in allChunks().sorted(by: { $0.key.address < $1.key.address }) {
            for run in chunk.content.union(chunk.owed).runs {
                runs[key.task, default: []].append(
                    PageRun(address: key.address(of: run.lowerBound), count: run.count))
            }
        }
        return runs
    }

    /// Old content is forgotten and its memory kept: the new one will be written there, and giving
    /// single pages back takes the kernel microseconds each, while the instance stands still.
    package func owe(_ runs: [PageRun], of task: TaskID) throws {
        for run in runs {
            for part in chunks(of: task, at: run.address, count: run.count) {
                withChunk(part.key) { chunk in
                    forget(PageSet(part.pages), of: &chunk, emptying: false)
                    chunk.zeros.remove(part.pages)
                    chunk.owed.insert(part.pages)
                }
            }
        }
    }

    /// Nothing to remember: a page for which nothing is kept is zero, wherever it lies.
    package func cover(_ runs: [PageRun], of task: TaskID) throws {}

    package func retain(
        only runs: [PageRun], of task: TaskID, in window: Range<UInt64>
    ) throws {
        var wanted: [ChunkKey: PageSet] = [:]
        for run in runs {
            for part in chunks(of: task, at: run.address, count: run.count) {
                wanted[part.key, default: PageSet()].insert(part.pages)
            }
        }
        let end = ChunkKey.byteCount
        for key in allKeys() where key.task == task {
            let common = window.clamped(to: key.address..<key.address + UInt64(end))
            guard !common.isEmpty else { continue }
            let first = Int(common.lowerBound - key.address) / PageRun.pageSize
            let last = Int(common.upperBound - key.address) / PageRun.pageSize
            forget(PageSet(first..<last).subtracting(wanted[key] ?? PageSet()), in: key)
        }
    }

    package func retain(only tasks: Set<TaskID>) throws {
        for key in allKeys() where !tasks.contains(key.task) { remove(key) }
    }

    /// Forgets all but these pages: those that the instance had when it was frozen. Others were
    /// kept in an earlier round and have been unmapped or emptied since.
    package func keepOnly(_ runs: [TaskID: [PageRun]]) {
        var allowed: [ChunkKey: PageSet] = [:]
        for (task, runs) in runs {
            for run in runs {
                for part in chunks(of: task, at: run.address, count: run.count) {
                    allowed[part.key, default: PageSet()].insert(part.pages)
                }
            }
        }
        for key in allKeys() {
            forget(PageSet(0..<PageSet.capacity).subtracting(allowed[key] ?? PageSet()), in: key)
        }
    }

    /// Forgets everything; what a reader still holds goes when the reader lets go.
    package func removeAll() { keepOnly([:]) }
}

extension PageStore {
    /// A chunk as it is now. Its memory stays while the copy does, its pages must not be kept anew
    /// meanwhile.
    func chunk(_ key: ChunkKey) -> Chunk {
        stripe(of: key).chunks.withLock { $0[key] ?? Chunk() }
    }

    func allChunks() -> [ChunkKey: Chunk] {
        var all: [ChunkKey: Chunk] = [:]
        for stripe in stripes {
            all.merge(stripe.chunks.withLock { $0 }) { first, _ in first }
        }
        return all
    }

    private func allKeys() -> [ChunkKey] {
        stripes.flatMap { stripe in stripe.chunks.withLock { Array($0.keys) } }
    }

    private func forget(_ pages: PageSet, in key: ChunkKey) {
        withChunk(key) { chunk in
            forget(pages, of: &chunk)
            chunk.zeros = chunk.zeros.subtracting(pages)
            chunk.owed = chunk.owed.subtracting(pages)
        }
    }

    func remove(_ key: ChunkKey) {
        withChunk(key) { chunk in
            forget(chunk.content, of: &chunk, emptying: false)
            chunk.zeros = PageSet()
            chunk.owed = PageSet()
        }
    }

    /// Content for pages that were owed; others are passed over: they have come already, or nobody
    /// needs them any more.
    func settle(_ content: UnsafeRawBufferPointer, for part: ChunkPages) throws {
        try withChunk(part.key) { chunk in
            for run in chunk.owed.intersection(PageSet(part.pages)).runs {
                let offset = (run.lowerBound - part.pages.lowerBound) * PageRun.pageSize
                let bytes = unsafe content[offset..<offset + run.count * PageRun.pageSize]
                try unsafe write(UnsafeRawBufferPointer(rebasing: bytes), to: run, of: &chunk)
            }
        }
    }

    /// The same for pages that are zero.
    func settleZeros(for part: ChunkPages) {
        withChunk(part.key) { chunk in
            let owed = chunk.owed.intersection(PageSet(part.pages))
            chunk.owed = chunk.owed.subtracting(owed)
            chunk.zeros = chunk.zeros.union(owed)
        }
    }

    private func write(
        _ content: UnsafeRawBufferPointer, to pages: Range<Int>, of chunk: inout Chunk
    ) throws {
        let fresh = PageSet(pages).subtracting(chunk.content).count
        try reserve(fresh * PageRun.pageSize)
        let memory: PrivateMemory
        do {
            memory = try chunk.memory ?? PrivateMemory(count: ChunkKey.byteCount)
        } catch {
            held.subtract(fresh * PageRun.pageSize, ordering: .relaxed)
            throw error
        }
        // SAFETY: the range is as long as the content; the stripe's lock keeps writers apart.
        unsafe memory.bytes(byteRange(pages)).copyMemory(from: content)
        chunk.memory = memory
        chunk.content.insert(pages)
        chunk.zeros.remove(pages)
        chunk.owed.remove(pages)
    }

    private func reserve(_ count: Int) throws {
        let total = held.add(count, ordering: .relaxed).newValue
        guard total > limit else { return }
        held.subtract(count, ordering: .relaxed)
        throw GodwitError(
            .limitExceeded,
            "the instance's memory does not fit into the \(limit >> 20) MiB "
                + "that are reserved for it on the target",
            remedy: "free memory on the target, or limit the instance's memory before it moves",
            cause: "\(total >> 20) MiB have arrived while it runs")
    }

    /// Gives content back; the chunk goes with the last.
    private func forget(_ pages: PageSet, of chunk: inout Chunk, emptying: Bool = true) {
        let lost = chunk.content.intersection(pages)
        guard !lost.isEmpty else { return }
        held.subtract(lost.count * PageRun.pageSize, ordering: .relaxed)
        chunk.content = chunk.content.subtracting(lost)
        if chunk.content.isEmpty {
            chunk.memory = nil
        } else if emptying {
            for run in lost.runs { chunk.memory?.empty(byteRange(run)) }
        }
    }

    private func withChunk<Value>(
        _ key: ChunkKey, _ body: (inout Chunk) throws -> Value
    ) rethrows -> Value {
        try stripe(of: key).chunks.withLock { chunks in
            var chunk = chunks.removeValue(forKey: key) ?? Chunk()
            defer { if !chunk.isEmpty { chunks[key] = chunk } }
            return try body(&chunk)
        }
    }

    private func stripe(of key: ChunkKey) -> Stripe {
        // Neighbours lie in different stripes: a stream writes one after the other.
        stripes[Int(truncatingIfNeeded: key.index &+ UInt64(key.task.number) &* 31) & 63]
    }
}

/// Where pages lie in their chunk's memory.
func byteRange(_ pages: Range<Int>) -> Range<Int> {
    pages.lowerBound * PageRun.pageSize..<pages.upperBound * PageRun.pageSize
}
