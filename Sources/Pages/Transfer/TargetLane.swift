import LinuxHost
import MigrationCore

/// The target's end of one stream: reads records, believes nothing, fills the sink.
actor TargetLane {
    private let stream: any ByteStream
    private let lane: Int
    private let lanes: Int
    private let reader: RecordReader
    private var unpacker = PageUnpacker()
    private var lists = ListReader()
    private var tasks: Set<TaskID> = []
    private let digest = StreamDigest()
    private let sink: any PageSink
    private var counts = PageCounts()
    private var totals = PageCounts()
    private var round: UInt32 = 0

    init(_ stream: any ByteStream, lane: Int, of lanes: Int, _ sink: any PageSink) {
        self.stream = stream
        self.lane = lane
        self.lanes = lanes
        self.sink = sink
        reader = RecordReader(stream)
    }

    /// Receives until the last round is whole.
    func receiveRounds() async throws {
        try await reader.expectOpening(lane: lane, of: lanes)
        while true {
            try Task.checkCancellation()
            let record = try await reader.expect()
            switch record.kind {
            case .pages: try receivePages(record)
            case .round: if try await endRound(record) { return }
            case .covered, .present, .owed, .end, .request:
                throw TransferFormat.violation("goes on before its last round has ended")
            }
        }
    }

    /// Receives the rest, once all streams have brought their last round.
    func close() async throws -> PageCounts {
        while true {
            try Task.checkCancellation()
            let record = try await reader.expect()
            switch record.kind {
            case .covered where lane == 0:
                note(record)
                try lists.cover(record.body, sink)
            case .present where lane == 0:
                note(record)
                try lists.retain(record.body, sink)
            case .owed where lane == 0:
                note(record)
                try lists.owe(record.body, sink)
            case .end: return try await end(record)
            default: throw TransferFormat.violation("has a record that is out of place")
            }
        }
    }

    private func receivePages(_ record: Record) throws {
        let pages = try PagesRecord(record, lane: lane, of: lanes)
        tasks.insert(pages.task)
        guard tasks.count <= Limit.memoryTasks else {
            throw GodwitError(.limitExceeded, "the peer sends memory of too many tasks")
        }
        digest.update(record.head)
        digest.update(pages.fixed)
        counts += try unpacker.unpack(pages, into: sink, digest)
        digest.update(pages.entries)
    }

    /// - Returns: whether it was the last.
    private func endRound(_ record: Record) async throws -> Bool {
        let end = try RoundEnd(record.body)
        guard end.round == round &+ 1 else {
            throw TransferFormat.violation("ends round \(end.round) after round \(round)")
        }
        note(record)
        round = end.round
        totals += counts
        let answer = RoundEnd(round: round, isLast: end.isLast, counts: counts)
        try await stream.write(answer.encoded[...])
        guard answer == end else { throw StreamEnd.difference }
        counts = PageCounts()
        return end.isLast
    }

    private func end(_ record: Record) async throws -> PageCounts {
        let end = try StreamEnd(record.body)
        if lane == 0 { try lists.end(sink) }
        let own = StreamEnd(digest: digest.hash, counts: totals)
        try await stream.write(own.encoded[...])
        // Also if they differ: the source is to hear it before the stream is cut.
        try await stream.finish()
        guard own == end else { throw StreamEnd.difference }
        return totals
    }

    private func note(_ record: Record) {
        digest.update(record.head)
        digest.update(record.body)
    }
}
