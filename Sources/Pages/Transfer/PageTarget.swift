package import MigrationCore

/// Receives what `PageSource` sends and puts it into a sink.
///
/// Bounded whatever the peer says: each stream takes a record of 256 KiB as it arrived, one laid
/// out after compression, and the numbers of at most `Limit.memoryTasks` tasks; the rest is the
/// sink's.
package struct PageTarget: Sendable {
    private let sink: any PageSink

    package init(sink: any PageSink) { self.sink = sink }

    /// Returns when everything is there and both sides have come to the same digests; the sink then
    /// holds the frozen instance's memory, and nothing else.
    ///
    /// - Parameter streams: 1 to `Limit.memoryStreams`, in the order that the source has them in.
    /// - Throws: `protocolViolation`, `limitExceeded`, `peerIncompatible`, `memoryDiffers`,
    ///   `linkLost`,
    ///   `cancelled`, or what the sink throws. All streams are then ended, and the sink has to be
    ///   thrown away.
    package func receive(from streams: [any ByteStream]) async throws -> PageCounts {
        precondition((1...Limit.memoryStreams).contains(streams.count))
        let sink = sink
        let lanes = streams.enumerated().map {
            TargetLane($1, lane: $0, of: streams.count, sink)
        }
        _ = try await together(streams) { try await lanes[$0].receiveRounds() }
        let counts = try await together(streams) { try await lanes[$0].close() }
        return counts.reduce(into: PageCounts()) { $0 += $1 }
    }
}

/// Reads the lists that follow the last round and holds them to their order.
struct ListReader {
    private var coveredTask: TaskID?
    private var coveredPage: UInt64 = 0
    private var presentTask: TaskID?
    private var presentPage: UInt64 = TransferFormat.endPage
    private var present: Set<TaskID> = []
    private var coveredTasks = 0

    mutating func cover(_ body: ArraySlice<UInt8>, _ sink: any PageSink) throws {
        var fields = Fields(body)
        let task = try begin(&fields)
        guard presentTask == nil, coveredTask.map({ $0 <= task }) ?? true else {
            throw TransferFormat.violation("names tracked tasks out of order")
        }
        if coveredTask != task {
            (coveredTask, coveredPage) = (task, 0)
            coveredTasks += 1
            try check(tasks: coveredTasks)
        }
        let runs = try runs(&fields, from: &coveredPage, to: TransferFormat.endPage)
        try sink.cover(runs, of: task)
    }

    mutating func retain(_ body: ArraySlice<UInt8>, _ sink: any PageSink) throws {
        var fields = Fields(body)
        let task = try begin(&fields)
        let (first, end) = (try fields.u64(), try fields.u64())
        if presentTask != task {
            guard presentPage == TransferFormat.endPage, presentTask.map({ $0 < task }) ?? true
            else { throw TransferFormat.violation("names present tasks out of order") }
            (presentTask, presentPage) = (task, 0)
            present.insert(task)
            try check(tasks: present.count)
        }
        guard first == presentPage, first < end, end <= TransferFormat.endPage else {
            throw TransferFormat.violation("has a window of pages out of order")
        }
        presentPage = end
        var page = first
        let runs = try runs(&fields, from: &page, to: end)
        let size = UInt64(PageRun.pageSize)
        try sink.retain(only: runs, of: task, in: first * size..<end * size)
    }

    func end(_ sink: any PageSink) throws {
        guard presentPage == TransferFormat.endPage else {
            throw TransferFormat.violation("ends within a list of present pages")
        }
        try sink.retain(only: present)
    }

    private func begin(_ fields: inout Fields) throws -> TaskID {
        let task = try fields.task()
        guard try fields.u32() == 0 else {
            throw TransferFormat.violation("has a list with something where 0 belongs")
        }
        return task
    }

    private func check(tasks: Int) throws {
        guard tasks <= Limit.memoryTasks else {
            throw GodwitError(.limitExceeded, "the peer names too many tasks")
        }
    }

    private func runs(
        _ fields: inout Fields, from page: inout UInt64, to end: UInt64
    ) throws -> [PageRun] {
        var runs: [PageRun] = []
        while !fields.isAtEnd {
            let gap = try fields.varint()
            let count = try fields.varint()
            guard gap <= end - page, count > 0, count <= end - page - gap else {
                throw TransferFormat.violation("lists pages outside of their window")
            }
            runs.append(PageRun(pages: page + gap..<page + gap + count))
            page += gap + count
        }
        return runs
    }
}
