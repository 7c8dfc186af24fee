import LinuxHost
package import MigrationCore

/// Sends an instance's memory, round by round, over parallel streams to a `PageTarget`.
///
/// Bounded: each stream takes about 7 MiB (two records and a table of contents) whatever the size
/// of the instance; besides, the lists of pages that it is given, and at most `Limit.unreadRuns`
/// runs a task that it could not read. One call at a time.
package actor PageSource {
    private let streams: [any ByteStream]
    private let lanes: [SourceLane]
    private var round: UInt32 = 0
    private var isBusy = false
    private var isOver = false
    /// What could not be read in earlier rounds, and the pid by which each task was read last.
    private var unread: [TaskID: [PageRun]] = [:]
    private var pids: [TaskID: Int32] = [:]

    /// - Parameters:
    ///   - streams: 1 to `Limit.memoryStreams`, in the order that the target has them in.
    ///   - witness: is told of all that is read.
    package init(
        streams: [any ByteStream], compression: MemoryOptions.Compression = .measured,
        witness: (any ReadingWitness)? = nil
    ) {
        precondition((1...Limit.memoryStreams).contains(streams.count))
        self.streams = streams
        lanes = streams.enumerated().map {
            SourceLane($1, lane: $0, of: streams.count, compression, witness: witness)
        }
    }

    /// Bytes written so far; may be asked at any time.
    nonisolated package var bytesSent: ByteCount {
        ByteCount(bytes: lanes.reduce(0) { $0 + $1.sent })
    }

    /// Sends what a scan has found while the instance runs, and returns when the target has it.
    ///
    /// - Parameter pages: each task once.
    /// - Throws: `linkLost`, `cancelled`, `memoryDiffers`, `kernelRefused` if memory may not be
    ///   read;
    ///   then all streams are ended.
    package func send(_ pages: [DirtyPages]) async throws -> RoundResult {
        let (result, unread) = try await work { try await self.transfer(pages, closing: nil) }
        for left in unread { remember(left) }
        return result
    }

    /// Sends the last round, with the instance frozen, and what is true of its memory, and compares
    /// digests. Ends the streams.
    ///
    /// - Parameter pages: what the last scan has found, together with what an earlier one found and
    ///   no round has sent.
    /// - Parameter present: all pages that the tasks have in their tables; a task that is not there
    ///   has ended.
    /// - Parameter covered: the ranges that were tracked, so that a page in them which is not
    ///   present is zero.
    /// - Parameter isOwed: whether these pages are only named: the target fetches them later from a
    ///   `PageServer`.
    /// - Throws: besides what `send` throws, `kernelRefused` if a page that is present cannot be
    ///   read.
    package func finish(
        _ pages: [DirtyPages], present: [TaskID: [PageRun]], covered: [TaskID: [PageRun]],
        isOwed: Bool = false
    ) async throws -> RoundResult {
        var last = withUnread(pages, present)
        var owed: [TaskID: [PageRun]] = [:]
        if isOwed {
            for dirty in last where !dirty.runs.isEmpty { owed[dirty.task] = dirty.runs }
            last = []
        }
        let closing = Closing(present: present, covered: covered, owed: owed)
        let (result, unread) = try await work { try await self.transfer(last, closing: closing) }
        isOver = true
        for left in unread {
            let lost = Runs.intersection(left.runs, present[left.task] ?? [])
            guard let first = lost.first else { continue }
            throw GodwitError(
                .kernelRefused,
                "page \(String(first.address, radix: 16)) of task \(left.task.number) "
                    + "could not be read, though the instance is frozen")
        }
        return result
    }

    /// Ends all streams now.
    package func cancel() async {
        for stream in streams { await stream.cancel() }
    }
}

extension PageSource {
    private struct Closing: Sendable {
        let present: [TaskID: [PageRun]]
        let covered: [TaskID: [PageRun]]
        let owed: [TaskID: [PageRun]]
    }

    private func work<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        precondition(!isBusy && !isOver, "one round at a time, and none after the last")
        isBusy = true
        defer { isBusy = false }
        return try await body()
    }

    private func transfer(
        _ pages: [DirtyPages], closing: Closing?
    ) async throws -> (RoundResult, [DirtyPages]) {
        precondition(Set(pages.map(\.task)).count == pages.count, "each task once")
        for dirty in pages { pids[dirty.task] = dirty.pid }
        round += 1
        let number = round
        let lanes = lanes
        let sent = bytesSent
        let begun = ContinuousClock.now
        let results = try await together(streams) { index in
            let lane = lanes[index]
            let result = try await lane.send(pages, round: number, isLast: closing != nil)
            guard let closing else {
                try await lane.awaitAnswer(round: number, isLast: false, result)
                return result
            }
            if index == 0 {
                try await lane.writeList(.covered(closing.covered))
                try await lane.writeList(.present(closing.present))
                try await lane.writeList(.owed(closing.owed))
            }
            let end = try await lane.writeEnd()
            try await lane.awaitAnswer(round: number, isLast: true, result)
            try await lane.awaitEnd(end)
            return result
        }
        let bytes = ByteCount(bytes: bytesSent.bytes - sent.bytes)
        let seconds = (ContinuousClock.now - begun) / .seconds(1)
        return (
            RoundResult(Int(number), results, bytes: bytes, seconds: seconds),
            results.flatMap(\.unread)
        )
    }

    private func remember(_ left: DirtyPages) {
        var runs = Runs.union(unread[left.task] ?? [], left.runs)
        while runs.count > Limit.unreadRuns { runs = Runs.lumped(runs) }
        unread[left.task] = runs
    }

    /// Pages that an earlier round could not read and that are there after all come in again.
    private func withUnread(
        _ pages: [DirtyPages], _ present: [TaskID: [PageRun]]
    ) -> [DirtyPages] {
        var rest = unread.compactMapValues { $0 }
        for (task, runs) in rest { rest[task] = Runs.intersection(runs, present[task] ?? []) }
        var result = pages.map { dirty in
            DirtyPages(
                task: dirty.task, pid: dirty.pid,
                runs: Runs.union(dirty.runs, rest.removeValue(forKey: dirty.task) ?? []))
        }
        for (task, runs) in rest {
            guard !runs.isEmpty, let pid = pids[task] else { continue }
            result.append(DirtyPages(task: task, pid: pid, runs: runs))
        }
        return result
    }
}

/// Learns what travels. Called from several threads.
package protocol ReadingWitness: Sendable {
    /// - Parameter content: whole pages, as they were read.
    func wasRead(_ content: UnsafeRawBufferPointer, of task: TaskID, at address: UInt64)
}

/// What one round has sent.
package struct RoundResult: Equatable, Sendable {
    /// From 1.
    package let round: Int
    package let counts: PageCounts
    /// Written anew with what the target already held.
    package let unchanged: UInt64
    /// No longer there when they were to be read.
    package let missing: UInt64
    /// On the wire.
    package let bytes: ByteCount
    /// Until the target had everything.
    package let seconds: Double

    init(_ round: Int, _ lanes: [LaneResult], bytes: ByteCount, seconds: Double) {
        self.round = round
        var counts = PageCounts()
        for lane in lanes { counts += lane.counts }
        self.counts = counts
        unchanged = lanes.reduce(0) { $0 + $1.unchanged }
        missing = lanes.flatMap(\.unread).reduce(0) { $0 + UInt64($1.pageCount) }
        self.bytes = bytes
        self.seconds = seconds
    }
}
