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
    private var presentTask: TaskID?
    private var presentPage: UInt64 = TransferFormat.endPage
    private var present: Set<TaskID> = []
    private var owed = TaskList()
    private var covered = TaskList()
    private var owedPages: UInt64 = 0
    private var presentPages: UInt64 = 0

    mutating func cover(_ body: ArraySlice<UInt8>, _ sink: any PageSink) throws {
        guard presentTask == nil else { throw TaskList.disorder }
        let (task, runs) = try covered.next(body)
        try sink.cover(runs, of: task)
    }

    mutating func owe(_ body: ArraySlice<UInt8>, _ sink: any PageSink) throws {
        let (task, runs) = try owed.next(body)
        guard presentPage == TransferFormat.endPage, present.contains(task) else {
            throw TransferFormat.violation("owes pages of a task that has ended")
        }
        try Self.count(runs, in: &owedPages)
        try sink.owe(runs, of: task)
    }

    private static func count(_ runs: [PageRun], in total: inout UInt64) throws {
        for run in runs {
            total += UInt64(run.count)
            guard total <= Limit.memoryPages else {
                throw GodwitError(.limitExceeded, "the peer names too many pages")
            }
        }
    }

    mutating func retain(_ body: ArraySlice<UInt8>, _ sink: any PageSink) throws {
        var fields = Fields(body)
        let task = try TaskList.begin(&fields)
        guard owed.isEmpty else { throw TaskList.disorder }
        let (first, end) = (try fields.u64(), try fields.u64())
        if presentTask != task {
            guard presentPage == TransferFormat.endPage, presentTask.map({ $0 < task }) ?? true
            else { throw TransferFormat.violation("names present tasks out of order") }
            (presentTask, presentPage) = (task, 0)
            present.insert(task)
            try TaskList.check(tasks: present.count)
        }
        guard first == presentPage, first < end, end <= TransferFormat.endPage else {
            throw TransferFormat.violation("has a window of pages out of order")
        }
        presentPage = end
        var page = first
        let runs = try fields.runs(from: &page, to: end)
        try Self.count(runs, in: &presentPages)
        let size = UInt64(PageRun.pageSize)
        try sink.retain(only: runs, of: task, in: first * size..<end * size)
    }

    func end(_ sink: any PageSink) throws {
        guard presentPage == TransferFormat.endPage else {
            throw TransferFormat.violation("ends within a list of present pages")
        }
        try sink.retain(only: present)
    }
}

/// A list of pages by task that goes on from record to record, ascending.
struct TaskList {
    private var task: TaskID?
    private var page: UInt64 = 0
    private var count = 0

    static let disorder = TransferFormat.violation("names tasks out of order")

    var isEmpty: Bool { count == 0 }

    mutating func next(_ body: ArraySlice<UInt8>) throws -> (TaskID, [PageRun]) {
        var fields = Fields(body)
        let task = try Self.begin(&fields)
        guard self.task.map({ $0 <= task }) ?? true else { throw Self.disorder }
        if self.task != task {
            (self.task, page) = (task, 0)
            count += 1
            try Self.check(tasks: count)
        }
        return (task, try fields.runs(from: &page, to: TransferFormat.endPage))
    }

    static func begin(_ fields: inout Fields) throws -> TaskID {
        let task = try fields.task()
        guard try fields.u32() == 0 else {
            throw TransferFormat.violation("has a list with something where 0 belongs")
        }
        return task
    }

    static func check(tasks: Int) throws {
        guard tasks <= Limit.memoryTasks else {
            throw GodwitError(.limitExceeded, "the peer names too many tasks")
        }
    }
}

extension Fields {
    /// Runs as gaps and counts up to the end of the record, inside a window of pages.
    mutating func runs(from page: inout UInt64, to end: UInt64) throws -> [PageRun] {
        var runs: [PageRun] = []
        while !isAtEnd {
            let gap = try varint()
            let count = try varint()
            guard gap <= end - page, count > 0, count <= end - page - gap else {
                throw TransferFormat.violation("lists pages outside of their window")
            }
            runs.append(PageRun(pages: page + gap..<page + gap + count))
            page += gap + count
        }
        return runs
    }
}
