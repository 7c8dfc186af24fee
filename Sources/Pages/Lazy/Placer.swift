import LinuxHost
import MigrationCore
import Synchronization

/// Puts pages from the store into address spaces, on any number of threads.
final class Placer: Sendable {
    enum Result: Equatable {
        case done
        /// An event has to be read first, or memory to become free: the rest is pending again.
        case early
        case gone
        case failed(Int32)
    }

    private struct Counts {
        var report = LazyReport()
        /// How many address spaces still need a chunk.
        var holders: [ChunkKey: Int] = [:]
    }

    private let store: PageStore
    private let counts = Mutex(Counts())

    init(_ store: PageStore) { self.store = store }

    var report: LazyReport { counts.withLock { $0.report } }

    func count(_ change: (inout LazyReport) -> Void) { counts.withLock { change(&$0.report) } }

    /// The chunks are needed by one address space more.
    func hold(_ keys: [ChunkKey]) {
        counts.withLock { counts in
            for key in keys { counts.holders[key, default: 0] += 1 }
        }
    }

    /// The chunks are needed by one address space less; the last one's memory is freed.
    func release(_ keys: [ChunkKey]) {
        let unneeded = counts.withLock { counts in
            keys.filter { key in
                guard let left = counts.holders[key].map({ $0 - 1 }) else {
                    preconditionFailure("a chunk that nobody holds is released")
                }
                counts.holders[key] = left == 0 ? nil : left
                return left == 0
            }
        }
        for key in unneeded { store.remove(key) }
    }

    /// Places a claim's pages and settles it. Only inside `gate.reading`.
    func place(_ claim: AddressSpace.Claim, in space: AddressSpace, byFault: Bool) -> Result {
        var placing = Placing(claim)
        guard let memory = store.chunk(claim.key).memory else {
            // Another thread has found the process gone and has let go of its chunks.
            precondition(space.isGone, "a claimed page that the store does not have")
            _ = space.settle(claim, rest: 0..<0)
            return .gone
        }
        while !placing.isOver {
            let pages = placing.next
            // SAFETY: `memory` holds the bytes while this runs, and nobody writes to them any more.
            let outcome = unsafe space.memory.fill(
                placing.address,
                with: UnsafeRawBufferPointer(memory.bytes(byteRange(pages))))
            if outcome.isThere {
                space.memory.wake(placing.address, length: PageRun.pageSize)
            }
            placing.take(outcome)
        }
        settle(claim, placing, in: space, byFault: byFault)
        return placing.result
    }

    private func settle(
        _ claim: AddressSpace.Claim, _ placing: Placing, in space: AddressSpace, byFault: Bool
    ) {
        count { report in
            report.pagesThere += placing.there
            report.pagesDropped += placing.dropped
            if byFault {
                report.pagesByFault += placing.placed
            } else {
                report.pagesInBackground += placing.placed
            }
        }
        if space.settle(claim, rest: placing.rest) { release([claim.key]) }
        if !placing.rest.isEmpty {
            // Who waits for a page that was on its way asks again.
            space.memory.wake(
                claim.address, length: claim.pages.count * PageRun.pageSize)
        }
    }

    /// Puts zero pages where a fault found none. Only inside `gate.reading`.
    func placeZeros(_ count: Int, at address: UInt64, in space: AddressSpace) -> Result {
        var outcome = space.memory.fillZeros(address, length: count * PageRun.pageSize)
        if outcome.isElsewhere && count > 1 {
            outcome = space.memory.fillZeros(address, length: PageRun.pageSize)
        }
        if outcome.isGone { return .gone }
        if outcome.isEarly { return .early }
        if outcome.isThere || outcome.isElsewhere {
            space.memory.wake(address, length: PageRun.pageSize)
            return .done
        }
        self.count { $0.zeroPages += outcome.bytes / PageRun.pageSize }
        return outcome.bytes > 0 ? .done : .failed(outcome.refusal)
    }

    /// The process has ended.
    func abandon(_ space: AddressSpace) {
        release(space.abandon().map { ChunkKey(task: space.task, index: $0) })
    }
}

/// How far the placing of a claim has come.
private struct Placing {
    private let claim: AddressSpace.Claim
    private var page: Int
    /// How many pages the next call asks for: fewer after the kernel found no place for all.
    private var step: Int
    private(set) var result = Placer.Result.done
    private(set) var placed = 0
    private(set) var there = 0
    private(set) var dropped = 0

    init(_ claim: AddressSpace.Claim) {
        self.claim = claim
        page = claim.pages.lowerBound
        step = claim.pages.count
    }

    var isOver: Bool { result != .done || page == claim.pages.upperBound }
    var next: Range<Int> { page..<min(page + step, claim.pages.upperBound) }
    /// What is not placed and still wanted.
    var rest: Range<Int> {
        result == .done || result == .gone ? page..<page : page..<claim.pages.upperBound
    }
    var address: UInt64 {
        claim.address + UInt64((page - claim.pages.lowerBound) * PageRun.pageSize)
    }

    mutating func take(_ outcome: FaultingMemory.Outcome) {
        if outcome.bytes > 0 {
            placed += outcome.bytes / PageRun.pageSize
            page += outcome.bytes / PageRun.pageSize
            step = min(2 * step, PageSet.capacity)
        } else if outcome.isThere {
            there += 1
            page += 1
        } else if outcome.isElsewhere {
            skip()
        } else if outcome.isEarly {
            result = .early
        } else {
            result = outcome.isGone ? .gone : .failed(outcome.refusal)
        }
    }

    /// A call fails as a whole if a part of its range has no place: halve, until it is one page.
    private mutating func skip() {
        let asked = next.count
        guard asked == 1 else {
            step = asked / 2
            return
        }
        dropped += 1
        page += 1
    }
}
