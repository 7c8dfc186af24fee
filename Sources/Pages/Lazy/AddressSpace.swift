import LinuxHost
import Synchronization

/// One restored address space: which of its pages still lie in the store, and where they belong.
///
/// A page is *pending* until someone claims it, and then *on its way* until the claim is settled.
/// Whoever places pages does it, from claim to settlement, inside `gate.reading`; whoever reads
/// events, and so lets the process go on with what it does to its memory, inside `gate.writing`: no
/// page is ever placed where it belonged before an event.
final class AddressSpace: Sendable {
    /// Pages that one thread is about to place.
    struct Claim: Equatable, Sendable {
        let key: ChunkKey
        let pages: Range<Int>
        /// Where the first page belongs now.
        let address: UInt64
    }

    /// What a fault needs.
    enum Need: Equatable {
        case content(Claim)
        case onItsWay
        /// So many pages from the faulting one on that have no content.
        case zeros(Int)
    }

    private struct State {
        var map = AddressMap()
        /// By chunk index; no set is empty.
        var pending: [UInt64: PageSet] = [:]
        var claims: [Claim] = []
        var isGone = false
    }

    /// The task whose pages these were: of a child, that of the parent.
    let task: TaskID
    let memory: FaultingMemory
    let gate = ReadWriteLock()
    private let state: Mutex<State>

    init(task: TaskID, memory: FaultingMemory) {
        self.task = task
        self.memory = memory
        state = Mutex(State())
    }

    /// The child of a fork, which lacks what its parent lacks. Only inside the parent's
    /// `gate.writing`.
    init(childOf parent: AddressSpace, memory: FaultingMemory) {
        task = parent.task
        self.memory = memory
        let inherited = parent.state.withLock { parent in
            precondition(parent.claims.isEmpty, "a fork while pages are placed")
            return parent
        }
        state = Mutex(inherited)
    }

    /// Nothing is left to place.
    var isDone: Bool { state.withLock { $0.pending.isEmpty && $0.claims.isEmpty } }
    var isGone: Bool { state.withLock { $0.isGone } }
    var pendingPages: Int { state.withLock { $0.pending.values.reduce(0) { $0 + $1.count } } }
    var pendingChunks: [UInt64: Int] { state.withLock { $0.pending.mapValues(\.count) } }

    /// What the store has for this address space, of which the rest is not taken over: it has been
    /// unmapped or emptied already.
    func expect(_ content: [UInt64: PageSet]) {
        state.withLock { state in
            precondition(state.pending.isEmpty && state.claims.isEmpty)
            for (index, pages) in content {
                let key = ChunkKey(task: task, index: index)
                var wanted = pages
                for run in pages.runs {
                    var page = run.lowerBound
                    while page < run.upperBound {
                        let origin = key.address(of: page)
                        let count = state.map.piece(from: origin).map {
                            pageCount($0.now.upperBound - $0.now.lowerBound)
                        }
                        if count == nil { wanted.remove(page..<page + 1) }
                        page += min(count ?? 1, run.upperBound - page)
                    }
                }
                if !wanted.isEmpty { state.pending[index] = wanted }
            }
        }
    }

    /// Claims the next pages of a chunk; nil if none are pending in it.
    func claim(_ index: UInt64, limit: Int) -> Claim? {
        state.withLock { state in
            guard let run = state.pending[index]?.firstRun() else { return nil }
            return claim(run, ChunkKey(task: task, index: index), limit, &state)
        }
    }

    /// What the page at the address needs; content is claimed.
    func need(at address: UInt64, limit: Int) -> Need {
        state.withLock { state in
            switch status(of: address, state) {
            case .onItsWay: return .onItsWay
            case .pending(let place):
                let pending = state.pending[place.key.index] ?? PageSet()
                let page = place.pages.lowerBound
                guard let run = pending.firstRun(in: page..<PageSet.capacity),
                    let claim = claim(run, place.key, limit, &state)
                else { preconditionFailure("a pending page that cannot be claimed") }
                return .content(claim)
            case .empty:
                var count = 1
                while count < limit,
                    status(of: address + UInt64(count * PageRun.pageSize), state) == .empty
                {
                    count += 1
                }
                return .zeros(count)
            }
        }
    }

    /// Ends a claim.
    ///
    /// - Parameter rest: those of its pages that could not be placed and are pending again.
    /// - Returns: whether the chunk is needed no more.
    func settle(_ claim: Claim, rest: Range<Int>) -> Bool {
        state.withLock { state in
            guard let index = state.claims.firstIndex(of: claim) else {
                preconditionFailure("settled twice")
            }
            state.claims.remove(at: index)
            guard !state.isGone else { return false }
            if !rest.isEmpty {
                state.pending[claim.key.index, default: PageSet()].insert(rest)
            }
            return state.pending[claim.key.index] == nil
                && !state.claims.contains { $0.key == claim.key }
        }
    }

    /// - Returns: the chunks that are needed no more.
    func removed(_ range: Range<UInt64>) -> [UInt64] {
        state.withLock { state in
            precondition(state.claims.isEmpty, "an event while pages are placed")
            return drop(state.map.remove(range), &state)
        }
    }

    /// - Returns: the chunks that are needed no more.
    func moved(from: UInt64, to: UInt64, length: UInt64) -> [UInt64] {
        state.withLock { state in
            precondition(state.claims.isEmpty, "an event while pages are placed")
            return drop(state.map.move(from: from, to: to, length: length), &state)
        }
    }

    /// The process has ended: nothing is to be placed any more.
    ///
    /// - Returns: the chunks that were still needed; empty if this was known already.
    func abandon() -> [UInt64] {
        state.withLock { state in
            guard !state.isGone else { return [] }
            state.isGone = true
            let indices = Set(state.pending.keys).union(state.claims.map(\.key.index))
            state.pending = [:]
            return Array(indices)
        }
    }
}

extension AddressSpace {
    private enum Status: Equatable {
        case empty, onItsWay
        case pending(ChunkPages)
    }

    private func status(of address: UInt64, _ state: borrowing State) -> Status {
        guard let piece = state.map.piece(at: address) else { return .empty }
        let place = chunks(of: task, at: piece.origin(of: address), count: 1)[0]
        let page = place.pages.lowerBound
        if state.pending[place.key.index]?.contains(page) == true { return .pending(place) }
        let isClaimed = state.claims.contains { $0.key == place.key && $0.pages.contains(page) }
        return isClaimed ? .onItsWay : .empty
    }

    private func claim(
        _ run: Range<Int>, _ key: ChunkKey, _ limit: Int, _ state: inout State
    ) -> Claim? {
        guard let piece = state.map.piece(from: key.address(of: run.lowerBound)) else {
            preconditionFailure("a pending page without a place")
        }
        let count = min(run.count, limit, pageCount(piece.now.upperBound - piece.now.lowerBound))
        let claim = Claim(
            key: key, pages: run.lowerBound..<run.lowerBound + count,
            address: piece.now.lowerBound)
        state.pending[key.index]?.remove(claim.pages)
        if state.pending[key.index]?.isEmpty == true { state.pending[key.index] = nil }
        state.claims.append(claim)
        return claim
    }

    private func drop(_ origins: [Range<UInt64>], _ state: inout State) -> [UInt64] {
        var freed: [UInt64] = []
        for origin in origins {
            for index in touched(origin, state.pending) {
                guard var pages = state.pending[index] else { continue }
                pages.remove(pageRange(of: origin, inChunk: index))
                state.pending[index] = pages.isEmpty ? nil : pages
                if pages.isEmpty { freed.append(index) }
            }
        }
        return freed
    }

    /// The pending chunks that the range touches: ranges may be far larger than what is pending.
    private func touched(
        _ range: Range<UInt64>, _ pending: [UInt64: PageSet]
    ) -> [UInt64] {
        let size = UInt64(ChunkKey.byteCount)
        let indices = range.lowerBound / size...(range.upperBound - 1) / size
        return indices.count < pending.count
            ? Array(indices) : pending.keys.filter(indices.contains)
    }

    private func pageRange(of range: Range<UInt64>, inChunk index: UInt64) -> Range<Int> {
        let start = index * UInt64(ChunkKey.byteCount)
        let chunk = start..<start + UInt64(ChunkKey.byteCount)
        let part = range.clamped(to: chunk)
        return pageCount(part.lowerBound - start)..<pageCount(part.upperBound - start)
    }
}

private func pageCount(_ bytes: UInt64) -> Int { Int(bytes / UInt64(PageRun.pageSize)) }
