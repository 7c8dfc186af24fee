package import MigrationCore

/// Gives a target the pages of a frozen instance that it asks for, over one stream.
///
/// Nothing is remembered: a stream that breaks is replaced by another, over which the target asks
/// again for what it has not got. Takes about 1 MiB whatever the size of the instance.
package struct PageServer: Sendable {
    private let stream: any ByteStream
    private let lane: SourceLane
    private let pids: [TaskID: Int32]

    /// - Parameter pids: by which this host reads the tasks' memory.
    package init(
        stream: any ByteStream, pids: [TaskID: Int32],
        compression: MemoryOptions.Compression = .measured
    ) {
        self.stream = stream
        self.pids = pids
        lane = SourceLane(stream, lane: 0, of: 1, compression, remembering: nil)
    }

    /// Bytes written so far; may be asked at any time.
    package var bytesSent: ByteCount { ByteCount(bytes: lane.sent) }

    /// Returns when the target has ended the stream.
    ///
    /// - Throws: `linkLost`, `cancelled`, `protocolViolation`, `limitExceeded`; `kernelRefused` if
    ///   a page cannot be read.
    package func serve() async throws {
        try await lane.open()
        var number: UInt32 = 0
        while let (task, runs) = try await lane.nextRequest() {
            guard let pid = pids[task] else {
                throw TransferFormat.violation("asks for pages of task \(task.number)")
            }
            number &+= 1
            let pages = DirtyPages(task: task, pid: pid, runs: runs)
            let result = try await lane.send([pages], round: number, isLast: false)
            guard result.unread.isEmpty else {
                throw GodwitError(
                    .kernelRefused, "pages of task \(task.number) (process \(pid)) are not there")
            }
        }
        try await stream.finish()
    }
}
