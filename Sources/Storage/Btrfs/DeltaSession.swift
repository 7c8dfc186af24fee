import LinuxHost
import MigrationCore

/// The target's end of a delta, which it applies itself.
struct DeltaSession: Sendable {
    private let stream: any ByteStream
    private let begin: @Sendable (PassNote.FromSource) async throws -> SendStreamApplier
    private let finished: @Sendable (PassNote.FromSource) -> Void

    init(
        stream: any ByteStream,
        begin: @escaping @Sendable (PassNote.FromSource) async throws -> SendStreamApplier,
        finished: @escaping @Sendable (PassNote.FromSource) -> Void
    ) {
        self.stream = stream
        self.begin = begin
        self.finished = finished
    }

    /// Returns when the source has been told. Cancelling the task cancels the stream.
    func run() async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await converse()
                return true
            }
            group.addTask {
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(3_600)) }
                return false
            }
            defer { group.cancelAll() }
            // The second ends first only if this task is cancelled.
            guard try await group.next() == true else {
                await stream.cancel()
                throw CancellationError()
            }
        }
    }

    private func converse() async throws {
        do {
            var frames = SessionFrameReader(stream)
            let note = try await PassNote.readFromSource(&frames)
            let applier = try await begin(note)
            while let bytes = try await data(&frames) {
                try await blocking { try applier.apply(bytes) }
            }
            try await blocking { try applier.finish(modified: note.modified) }
            finished(note)
        } catch {
            await tell(.told(error))
            throw error
        }
        try await stream.write(SessionFrame.end.encoded[...])
        try await stream.finish()
    }

    /// Nil at the end.
    private func data(_ frames: inout SessionFrameReader) async throws -> [UInt8]? {
        switch try await frames.next() {
        case .data(let bytes): bytes
        case .end: nil
        case .failed(let failure): throw failure
        case .distrust, .note: throw SessionFrame.nonsense("a frame in the wrong place")
        }
    }

    /// Tells the source why, and takes what is on its way until it has learned of it.
    private func tell(_ failure: GodwitError) async {
        do {
            try await stream.write(SessionFrame.failed(failure).encoded[...])
            try await stream.finish()
            while try await stream.read() != nil {}
        } catch { await stream.cancel() }
    }
}
