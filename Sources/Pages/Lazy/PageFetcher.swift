import LinuxHost
package import MigrationCore
import Synchronization

/// Brings the pages that a running instance still lacks, from a `PageServer` at the source.
///
/// Pages that somebody waits for come by a stream of their own, past all others. A stream may break
/// at any time: what was asked for on it is asked for again on the next.
package final class PageFetcher: Sendable {
    package enum Channel: Int, Sendable, CaseIterable {
        /// Pages that a fault waits for, and their neighbours.
        case urgent
        case background

        /// Requests on their way at once: enough to keep a link busy, and for faults enough that
        /// none waits for another.
        fileprivate var window: Int { self == .urgent ? 16 : 4 }
    }

    /// Pages of one chunk, which need not follow each other: what was written while an instance
    /// was copied lies here and there, and an answer a page would take ten times as long.
    struct Request {
        let key: ChunkKey
        let pages: PageSet

        var runs: [PageRun] {
            pages.runs.map { PageRun(address: key.address(of: $0.lowerBound), count: $0.count) }
        }
    }

    struct State {
        weak var server: LazyPagesServer?
        var isEnded = false
        /// Faults that nothing has been asked for yet.
        var faults: [ChunkPages] = []
        /// What has been asked for and has not come, by channel.
        var asked: [Channel: [ChunkKey: PageSet]] = [:]
        var wakes: [Channel: AsyncStream<Void>.Continuation] = [:]
        var report = FetchCounts()

        mutating func nextFault() -> Request? {
            guard !faults.isEmpty else { return nil }
            let next = faults.removeFirst()
            return Request(key: next.key, pages: PageSet(next.pages))
        }

        func nextOwed(of spaces: [AddressSpace]) -> Request? {
            for space in spaces {
                let next = space.nextOwed { key in
                    let urgent = asked[.urgent]?[key] ?? PageSet()
                    return urgent.union(asked[.background]?[key] ?? PageSet())
                }
                if let next { return next }
            }
            return nil
        }
    }

    let state = Mutex(State())

    init() {}

    /// What has come so far.
    package var counts: FetchCounts { state.withLock { $0.report } }

    /// Asks and receives over one stream, until nothing is owed any more, or the stream breaks.
    /// A stream that takes the place of another of its channel is called with after that one's
    /// call has returned.
    ///
    /// - Throws: `linkLost`, `cancelled`, `protocolViolation`, `limitExceeded`.
    package func fetch(_ channel: Channel, over stream: any ByteStream) async throws {
        let (wakes, wake) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { $0.wakes[channel] = wake }
        defer { forget(channel) }
        var arrivals = try await PageArrivals(stream, channel, self)
        var waiting = wakes.makeAsyncIterator()
        var asked: [Request] = []
        while !isEnded {
            try Task.checkCancellation()
            while asked.count < channel.window, let next = nextRequest(channel) {
                asked.append(next)
                for record in PageLists.request(next.runs, of: next.key.task) {
                    try await stream.write(record[...])
                }
            }
            guard !asked.isEmpty else {
                guard await waiting.next() != nil else { break }
                continue
            }
            try await arrivals.next()
            settle(asked.removeFirst(), channel)
        }
        try await stream.finish()
    }

    /// Has pages come that a fault waits for.
    func ask(for pages: ChunkPages) {
        let wake = state.withLock { state -> AsyncStream<Void>.Continuation? in
            let asked = state.asked[.urgent]?[pages.key] ?? PageSet()
            guard !asked.contains(pages.pages.lowerBound), !state.faults.contains(pages) else {
                return nil
            }
            state.faults.append(pages)
            state.report.stalls += 1
            return state.wakes[.urgent]
        }
        wake?.yield()
    }

    func attach(_ server: LazyPagesServer) { state.withLock { $0.server = server } }

    /// Nothing is owed any more, or all is over.
    func end() {
        let wakes = state.withLock { state in
            state.isEnded = true
            return Array(state.wakes.values)
        }
        for wake in wakes { wake.finish() }
    }

    /// What the streams wait for may be there.
    func wake() {
        let wakes = state.withLock { Array($0.wakes.values) }
        for wake in wakes { wake.yield() }
    }

    private var isEnded: Bool { state.withLock { $0.isEnded } }

    private func nextRequest(_ channel: Channel) -> Request? {
        let server = state.withLock { $0.server }
        let spaces = server?.state.withLock { $0.spaces } ?? []
        return state.withLock { state in
            let next = channel == .urgent ? state.nextFault() : state.nextOwed(of: spaces)
            guard let next else { return nil }
            let asked = state.asked[channel]?[next.key] ?? PageSet()
            state.asked[channel, default: [:]][next.key] = asked.union(next.pages)
            return next
        }
    }

    private func settle(_ request: Request, _ channel: Channel) {
        state.withLock { state in
            let rest = (state.asked[channel]?[request.key] ?? PageSet())
                .subtracting(request.pages)
            state.asked[channel]?[request.key] = rest.isEmpty ? nil : rest
        }
    }

    /// The channel's stream is no more: the other one may ask for its pages.
    private func forget(_ channel: Channel) {
        state.withLock { state in
            state.wakes[channel] = nil
            let asked = state.asked.removeValue(forKey: channel) ?? [:]
            guard channel == .urgent else { return }
            state.faults += asked.flatMap { key, pages in
                pages.runs.map { ChunkPages(key: key, pages: $0) }
            }
        }
        wake()
    }
}

/// Pages that have come after the instance.
package struct FetchCounts: Equatable, Sendable {
    package var pagesByFault: UInt64 = 0
    package var pagesInBackground: UInt64 = 0
    /// Faults that had to wait for the source.
    package var stalls: UInt64 = 0
}

extension PageFetcher {
    /// Puts what has come where it is awaited.
    func arrived(
        _ part: ChunkPages, on channel: Channel, _ content: UnsafeRawBufferPointer?
    ) throws {
        guard let server = state.withLock({ $0.server }) else { return }
        if let content = unsafe content {
            try unsafe server.store.settle(content, for: part)
        } else {
            server.store.settleZeros(for: part)
        }
        state.withLock { state in
            let count = UInt64(part.pages.count)
            switch channel {
            case .urgent: state.report.pagesByFault += count
            case .background: state.report.pagesInBackground += count
            }
        }
        // A child that was forked before its parent was told is told, too.
        var told: [AddressSpace] = []
        while let space = server.state.withLock({ $0.spaces }).first(where: { space in
            space.task == part.key.task && !told.contains { $0 === space }
        }) {
            told.append(space)
            tell(space, part, areZero: unsafe content == nil, server)
        }
        server.wake()
    }

    private func tell(
        _ space: AddressSpace, _ part: ChunkPages, areZero: Bool, _ server: LazyPagesServer
    ) {
        let (isAwaited, isUnneeded) = space.gate.reading {
            let told = space.arrived(part, areZero: areZero)
            if told.isUnneeded { server.placer.release([part.key]) }
            return told
        }
        guard isAwaited, !isUnneeded, !areZero else { return }
        server.queue.add([LazyPagesServer.Work(space: space, index: part.key.index)])
    }
}

/// Reads the answers to requests.
struct PageArrivals {
    private let reader: RecordReader
    private let sink: FetchedPages
    private var unpacker = PageUnpacker()
    private let digest = StreamDigest()
    private var number: UInt32 = 0

    /// Reads how the stream begins.
    init(_ stream: any ByteStream, _ channel: PageFetcher.Channel, _ fetcher: PageFetcher)
        async throws
    {
        reader = RecordReader(stream)
        sink = FetchedPages(fetcher: fetcher, channel: channel)
        try await reader.expectOpening(lane: 0, of: 1)
    }

    /// Receives the answer to the oldest request.
    mutating func next() async throws {
        while true {
            try Task.checkCancellation()
            let record = try await reader.expect()
            switch record.kind {
            case .pages:
                let pages = try PagesRecord(record, lane: 0, of: 1)
                _ = try unpacker.unpack(pages, into: sink, digest)
            case .round:
                number &+= 1
                guard try RoundEnd(record.body).round == number else {
                    throw TransferFormat.violation("answers requests out of order")
                }
                return
            case .covered, .present, .owed, .end, .request:
                throw TransferFormat.violation("answers a request with something else than pages")
            }
        }
    }
}

/// Where answers go.
private struct FetchedPages: PageSink {
    let fetcher: PageFetcher
    let channel: PageFetcher.Channel

    func keep(
        _ content: UnsafeRawBufferPointer, of task: TaskID, at address: UInt64
    ) throws {
        var offset = 0
        for part in chunks(of: task, at: address, count: content.count / PageRun.pageSize) {
            let length = part.pages.count * PageRun.pageSize
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: content[offset..<offset + length])
            try unsafe fetcher.arrived(part, on: channel, bytes)
            offset += length
        }
    }

    func keepZeros(_ run: PageRun, of task: TaskID) throws {
        for part in chunks(of: task, at: run.address, count: run.count) {
            try unsafe fetcher.arrived(part, on: channel, nil)
        }
    }

    func repeatPage(
        of origin: TaskID, at originAddress: UInt64, for task: TaskID, at address: UInt64
    ) throws {
        throw TransferFormat.violation("repeats a page in an answer")
    }

    func cover(_ runs: [PageRun], of task: TaskID) throws {}
    func owe(_ runs: [PageRun], of task: TaskID) throws {}
    func retain(only runs: [PageRun], of task: TaskID, in window: Range<UInt64>) throws {}
    func retain(only tasks: Set<TaskID>) throws {}
}
