import LinuxHost
import MigrationCore
import Synchronization

/// The source's end of one stream: reads the pages that go by it, and writes the records.
///
/// Its memory does not depend on the instance: a record, the same compressed (256 KiB each), and
/// the table of contents (`Limit.rememberedPages` of 48 bytes, 6 MiB).
actor SourceLane {
    private let stream: any ByteStream
    private let lane: Int
    private let lanes: Int
    private let progress: Atomic<UInt64>
    private let answers: RecordReader
    private var sorter: PageSorter
    private var choice: CompressionChoice
    /// Room for a whole record, and what is read behind its content.
    private var record = [UInt8](repeating: 0, count: TransferFormat.recordSize)
    private var packed: [UInt8]
    private let digest = StreamDigest()
    private var totals = PageCounts()
    private var isOpen = false
    private var lastWrite = ContinuousClock.now
    private var unread: [DirtyPages] = []

    private let witness: (any ReadingWitness)?

    init(
        _ stream: any ByteStream, lane: Int, of lanes: Int, _ mode: MemoryOptions.Compression,
        remembering capacity: Int? = Limit.rememberedPages,
        witness: (any ReadingWitness)? = nil
    ) {
        self.witness = witness
        self.stream = stream
        self.lane = lane
        self.lanes = lanes
        progress = Atomic(0)
        answers = RecordReader(stream)
        sorter = PageSorter(remembering: capacity)
        choice = CompressionChoice(mode)
        packed = [UInt8](
            repeating: 0, count: mode == .never ? 0 : TransferFormat.recordSize)
    }

    /// Bytes written so far, at any time.
    nonisolated var sent: UInt64 { progress.load(ordering: .relaxed) }

    /// Sends this lane's part of a round, and its end.
    func send(_ pages: [DirtyPages], round: UInt32, isLast: Bool) async throws -> LaneResult {
        try await open()
        sorter.beginRound()
        unread = []
        lastWrite = .now
        for dirty in pages { try await send(dirty) }
        totals += sorter.counts
        try await writeHashed(
            RoundEnd(round: round, isLast: isLast, counts: sorter.counts).encoded)
        return LaneResult(counts: sorter.counts, unchanged: sorter.unchanged, unread: unread)
    }

    /// Waits until the target has all of a round.
    func awaitAnswer(round: UInt32, isLast: Bool, _ result: LaneResult) async throws {
        let answer = try await answers.expect()
        guard answer.kind == .round else {
            throw TransferFormat.violation("answers the end of a round with something else")
        }
        let expected = RoundEnd(round: round, isLast: isLast, counts: result.counts)
        guard try RoundEnd(answer.body) == expected else {
            throw GodwitError(
                .memoryDiffers,
                "the target has counted other pages in round \(round) than were sent")
        }
    }

    /// What the target asks for next; nil if it asks for no more.
    func nextRequest() async throws -> (task: TaskID, runs: [PageRun])? {
        guard let record = try await answers.next() else { return nil }
        guard record.kind == .request else {
            throw TransferFormat.violation("asks for pages in another way than by a request")
        }
        var list = TaskList()
        let (task, runs) = try list.next(record.body)
        let count = runs.reduce(0) { $0 + $1.count }
        guard (1...PageSet.capacity).contains(count) else {
            throw GodwitError(.limitExceeded, "the peer asks for \(count) pages at once")
        }
        return (task, runs)
    }

    func open() async throws {
        guard !isOpen else { return }
        try await write(TransferFormat.opening(stream: lane, of: lanes)[...])
        isOpen = true
    }

    func writeList(_ records: PageLists) async throws {
        for record in records { try await writeHashed(record) }
    }

    /// Says the last word; `awaitEnd` hears the target's.
    func writeEnd() async throws -> StreamEnd {
        let end = StreamEnd(digest: digest.hash, counts: totals)
        try await write(end.encoded[...])
        return end
    }

    func awaitEnd(_ end: StreamEnd) async throws {
        let answer = try await answers.expect()
        guard answer.kind == .end else {
            throw TransferFormat.violation("answers the end with something else")
        }
        guard try StreamEnd(answer.body) == end else { throw StreamEnd.difference }
        try await stream.finish()
    }
}

/// What a lane has done in a round.
struct LaneResult: Sendable {
    var counts: PageCounts
    var unchanged: UInt64
    /// Pages of the round that were not there when they were read.
    var unread: [DirtyPages]
}

extension SourceLane {
    private func send(_ dirty: DirtyPages) async throws {
        precondition(Runs.ascend(dirty.runs), "runs ascend and are apart")
        var pieces = LanePieces(dirty.runs, lane: lane, of: lanes)
        let memory = try TaskMemory.open(dirty.pid)
        sorter.begin(dirty.task)
        var missed: [PageRun] = []
        while true {
            try Task.checkCancellation()
            let batch = pieces.take(upTo: TransferFormat.contentPages - sorter.kept)
            if batch.isEmpty { break }
            missed += try read(batch, of: dirty.task, from: memory)
            if missed.count > Limit.unreadRuns { missed = Runs.lumped(missed) }
            if sorter.isFull { try await flush() }
        }
        try await flush()
        if !missed.isEmpty {
            unread.append(DirtyPages(task: dirty.task, pid: dirty.pid, runs: missed))
        }
    }

    /// - Returns: what could not be read.
    private func read(
        _ batch: [PageRun], of task: TaskID, from memory: TaskMemory?
    ) throws -> [PageRun] {
        guard let memory else { return batch }
        let spans = batch.map { TaskMemory.Span(address: $0.address, size: $0.byteCount) }
        let size = batch.reduce(0) { $0 + $1.byteCount }
        return try unsafe record.withUnsafeMutableBytes { whole in
            let content = unsafe UnsafeMutableRawBufferPointer(
                rebasing: whole[TransferFormat.contentOffset...])
            let start = sorter.kept * PageRun.pageSize
            let reading = try unsafe memory.read(
                spans, into: UnsafeMutableRawBufferPointer(rebasing: content[start..<start + size]))
            guard !reading.isGone else { return batch }
            if reading.missing.isEmpty {
                unsafe tell(batch, of: task, UnsafeRawBufferPointer(rebasing: content[start...]))
            }
            unsafe sorter.sort(batch, missing: reading.missing, in: content)
            return reading.missing.isEmpty ? [] : Runs.pages(of: batch, at: reading.missing)
        }
    }

    private func tell(_ batch: [PageRun], of task: TaskID, _ content: UnsafeRawBufferPointer) {
        guard let witness else { return }
        var offset = 0
        for run in batch {
            let part = offset..<offset + run.byteCount
            unsafe witness.wasRead(
                UnsafeRawBufferPointer(rebasing: content[part]), of: task, at: run.address)
            offset += run.byteCount
        }
    }

    /// Sends the record, if there is anything in it.
    private func flush() async throws {
        guard !sorter.entries.isEmpty else { return }
        let begun = ContinuousClock.now
        let content = sorter.kept * PageRun.pageSize
        let size = content > 0 && choice.compressesNext() ? pack(content) : nil
        let packedAt = ContinuousClock.now
        var entries: [UInt8] = []
        sorter.encodeEntries(into: &entries)
        let head = head(contentSize: size ?? content, entries: entries.count, isPacked: size != nil)
        hash(head, entries)
        let end = TransferFormat.contentOffset + (size ?? content)
        if size == nil {
            Self.complete(&record, head, entries, at: end)
            try await write(record[..<(end + entries.count)])
        } else {
            Self.complete(&packed, head, entries, at: end)
            try await write(packed[..<(end + entries.count)])
        }
        let now = ContinuousClock.now
        choice.wrote(
            content, sent: end + entries.count, reading: (begun - lastWrite) / .seconds(1),
            compressing: (packedAt - begun) / .seconds(1), writing: (now - packedAt) / .seconds(1))
        lastWrite = now
        sorter.clear()
    }

    /// - Returns: the size of the block that now lies in `packed`; nil if it is not worth it.
    private func pack(_ content: Int) -> Int? {
        let begun = ContinuousClock.now
        let range = TransferFormat.contentOffset..<TransferFormat.contentOffset + content
        let size = unsafe record.withUnsafeBytes { raw in
            unsafe packed.withUnsafeMutableBytes { packed in
                unsafe LZ4.compress(
                    UnsafeRawBufferPointer(rebasing: raw[range]),
                    into: UnsafeMutableRawBufferPointer(rebasing: packed[range]))
            }
        }
        choice.compressed(
            content, to: size ?? content, in: (ContinuousClock.now - begun) / .seconds(1))
        return size.flatMap {
            Double($0) < Double(content) * CompressionChoice.worthwhile ? $0 : nil
        }
    }

    private func head(contentSize: Int, entries: Int, isPacked: Bool) -> [UInt8] {
        let length = TransferFormat.contentOffset - TransferFormat.headSize + contentSize + entries
        return TransferFormat.head(.pages, isPacked ? .lz4 : .raw, length: length)
            + CheckpointFormat.bytes(UInt32(sorter.task.number))
            + CheckpointFormat.bytes(UInt32(entries)) + CheckpointFormat.bytes(UInt32(sorter.kept))
            + CheckpointFormat.bytes(UInt32(0))
    }

    private func hash(_ head: [UInt8], _ entries: [UInt8]) {
        digest.update(head[...])
        unsafe sorter.hashes.withUnsafeBytes { unsafe digest.update($0) }
        digest.update(entries[...])
    }

    private static func complete(
        _ record: inout [UInt8], _ head: [UInt8], _ entries: [UInt8], at end: Int
    ) {
        record.replaceSubrange(..<head.count, with: head)
        record.replaceSubrange(end..<end + entries.count, with: entries)
    }

    private func writeHashed(_ bytes: [UInt8]) async throws {
        digest.update(bytes[...])
        try await write(bytes[...])
    }

    private func write(_ bytes: ArraySlice<UInt8>) async throws {
        try await stream.write(bytes)
        progress.add(UInt64(bytes.count), ordering: .relaxed)
    }
}
