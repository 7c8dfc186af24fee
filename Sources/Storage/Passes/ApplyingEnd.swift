import LinuxHost
import MigrationCore

/// The target's end of a pass that it applies itself.
struct ApplyingEnd: Sendable {
    let stream: any ByteStream

    /// Returns when the body has read all, and the source has been told how that ended. Cancelling
    /// the task cancels the stream.
    func run(
        _ body: @escaping @Sendable (inout SessionFrameReader) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await converse(body)
                return true
            }
            group.addTask {
                await untilCancelled()
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

    /// The next piece of data; nil at the end.
    static func data(_ frames: inout SessionFrameReader) async throws -> [UInt8]? {
        switch try await frames.next() {
        case .data(let bytes): bytes
        case .end: nil
        case .failed(let failure): throw failure
        case .distrust, .note: throw SessionFrame.nonsense("a frame in the wrong place")
        }
    }

    private func converse(
        _ body: @Sendable (inout SessionFrameReader) async throws -> Void
    ) async throws {
        do {
            var frames = SessionFrameReader(stream)
            try await body(&frames)
        } catch {
            await tell(.told(error))
            throw error
        }
        try await stream.write(SessionFrame.end.encoded[...])
        try await stream.finish()
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
