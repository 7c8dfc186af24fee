import LinuxHost
import Synchronization

/// One restored address space: which of its pages still lie in the store, or have not come there
/// yet, and where they belong.
///
/// A page is *owed* until it has come from the source, *pending* until someone claims it, and then
/// *on its way* until the claim is settled. Whoever places pages does it, from claim to settlement,
/// inside `gate.reading`; whoever reads events, and so lets the process go on with what it does to
/// its memory, inside `gate.writing`: no page is ever placed where it belonged before an event.
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
        /// Pages that the source still has, from the faulting one on.
        case owed(ChunkPages)
        case onItsWay
        /// So many pages from the faulting one on that have no content.
        case zeros(Int)
    }

    private struct State {
        var map = AddressMap()
        /// By chunk index; no set is empty.
        var pending: [UInt64: PageSet] = [:]
        /// The same of pages that are still to come.
        var owed: [UInt64: PageSet] = [:]
        var claims: [Claim] = []
        var isGone = false

        /// Whether anything of the chunk is still to be placed.
        func needs(_ index: UInt64) -> Bool {
            pending[index] != nil || owed[index] != nil
                || claims.contains { $0.key.index == index }
        }
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
    var isDone: Bool {
        state.withLock { $0.pending.isEmpty && $0.owed.isEmpty && $0.claims.isEmpty }
    }
    var isGone: Bool { state.withLock { $0.isGone } }
    var pendingPages: Int {
        state.withLock { state in
            (Array(state.pending.values) + state.owed.values).reduce(0) { $0 + $1.count }
        }
    }
    var pendingChunks: [UInt64: Int] { state.withLock { $0.pending.mapValues(\.count) } }
    /// The chunks of which anything is still to be placed.
    var neededChunks: Set<UInt64> {
        state.withLock { Set($0.pending.keys).union($0.owed.keys) }
    }

    /// What the store has for this address space and what is still to come, of which the rest is
    /// not taken over: it has been unmapped or emptied already.
    func expect(_ content: [UInt64: PageSet], owed: [UInt64: PageSet]) {
        state.withLock { state in
            precondition(state.pending.isEmpty && state.owed.isEmpty && state.claims.isEmpty)
            for (index, pages) in content {
                state.pending[index] = mapped(pages, index, state.map)
            }
            for (index, pages) in owed { state.owed[index] = mapped(pages, index, state.map) }
        }
    }

    /// Those of a chunk's pages that have a place; nil if none has.
    private func mapped(_ pages: PageSet, _ index: UInt64, _ map: AddressMap) -> PageSet? {
        let key = ChunkKey(task: task, index: index)
        var wanted = pages
        for run in pages.runs {
            var page = run.lowerBound
            while page < run.upperBound {
                let count = map.piece(from: key.address(of: page)).map {
                    pageCount($0.now.upperBound - $0.now.lowerBound)
                }
                if count == nil { wanted.remove(page..<page + 1) }
                page += min(count ?? 1, run.upperBound - page)
            }
        }
        return wanted.isEmpty ? nil : wanted
    }

    /// Pages that were owed have come into the store, or are zero. Only inside `gate.reading`, so
    /// that a child either is there already or lacks what its parent lacks afterwards.
    ///
    /// - Returns: whether any was owed here, and whether the chunk is needed no more.
    func arrived(_ part: ChunkPages, areZero: Bool) -> (isAwaited: Bool, isUnneeded: Bool) {
        state.withLock { state in
            let index = part.key.index
            guard var owed = state.owed[index] else { return (false, false) }
            let came = owed.intersection(PageSet(part.pages))
            guard !came.isEmpty else { return (false, false) }
            owed = owed.subtracting(came)
            state.owed[index] = owed.isEmpty ? nil : owed
            if !areZero {
                state.pending[index] = (state.pending[index] ?? PageSet()).union(came)
            }
            return (true, !state.needs(index))
        }
    }

    /// All pages of one chunk that are owed here and not excepted.
    func nextOwed(except asked: (ChunkKey) -> PageSet) -> PageFetcher.Request? {
        state.withLock { state in
            for (index, pages) in state.owed {
                let key = ChunkKey(task: task, index: index)
                let rest = pages.subtracting(asked(key))
                if !rest.isEmpty { return PageFetcher.Request(key: key, pages: rest) }
            }
            return nil
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
            case .owed(let place):
                let owed = state.owed[place.key.index] ?? PageSet()
                let page = place.pages.lowerBound
                let run = owed.firstRun(in: page..<min(page + limit, PageSet.capacity))
                return .owed(ChunkPages(key: place.key, pages: run ?? place.pages))
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
            return !state.needs(claim.key.index)
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
            let indices = Set(state.pending.keys).union(state.owed.keys)
                .union(state.claims.map(\.key.index))
            (state.pending, state.owed) = ([:], [:])
            return Array(indices)
        }
    }
}

extension AddressSpace {
    private enum Status: Equatable {
        case empty, onItsWay
        case pending(ChunkPages)
        case owed(ChunkPages)
    }

    private func status(of address: UInt64, _ state: borrowing State) -> Status {
        guard let piece = state.map.piece(at: address) else { return .empty }
        let place = chunks(of: task, at: piece.origin(of: address), count: 1)[0]
        let page = place.pages.lowerBound
        if state.pending[place.key.index]?.contains(page) == true { return .pending(place) }
        if state.owed[place.key.index]?.contains(page) == true { return .owed(place) }
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
            let indices = Set(touched(origin, state.pending)).union(touched(origin, state.owed))
            for index in indices where state.needs(index) {
                let lost = pageRange(of: origin, inChunk: index)
                Self.remove(lost, from: &state.pending[index])
                Self.remove(lost, from: &state.owed[index])
                if !state.needs(index) { freed.append(index) }
            }
        }
        return freed
    }

    private static func remove(_ lost: Range<Int>, from pages: inout PageSet?) {
        guard var rest = pages else { return }
        rest.remove(lost)
        pages = rest.isEmpty ? nil : rest
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
