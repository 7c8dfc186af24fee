import LinuxHost
import MigrationCore

/// The source's end of a pass that it writes itself, while it listens for how the target fares.
struct WritingEnd: Sendable {
    let stream: any ByteStream
    /// What has been read of the stream already.
    let frames: SessionFrameReader

    /// Sends frames, as long as there is somebody to take them.
    struct Writer: Sendable {
        fileprivate let stream: any ByteStream
        fileprivate let peerHasEnded = Flag()

        func send(_ frame: SessionFrame) async throws {
            guard !peerHasEnded.isRaised else { throw PeerHasEnded() }
            try Task.checkCancellation()
            try await stream.write(frame.encoded[...])
        }
    }

    private struct PeerHasEnded: Error {}
    private enum Part { case own((any Error)?), peer(GodwitError?), cancelled }

    /// Returns when the target has all that the body has sent. Cancelling the task cancels the
    /// stream.
    ///
    /// - Throws: why the target could not, or what the body throws, whichever came first.
    func run(_ body: @escaping @Sendable (Writer) async throws -> Void) async throws {
        let writer = Writer(stream: stream)
        let isOver = Flag()
        let (own, peer) = try await withThrowingTaskGroup(of: Part.self) { group in
            group.addTask { .own(await write(to: writer, body)) }
            group.addTask {
                let failure = await listen()
                writer.peerHasEnded.raise()
                return .peer(failure)
            }
            group.addTask {
                await untilCancelled()
                if !isOver.isRaised { await stream.cancel() }
                return .cancelled
            }
            var own: (any Error)??
            var peer: GodwitError??
            while own == nil || peer == nil {
                switch try await group.next() {
                case .own(let failure): own = .some(failure)
                case .peer(let failure): peer = .some(failure)
                case .cancelled, nil: throw CancellationError()
                }
            }
            isOver.raise()
            group.cancelAll()
            return (own ?? nil, peer ?? nil)
        }
        try Task.checkCancellation()
        try? await stream.finish()
        if let own, !(own is PeerHasEnded) { throw own }
        if let peer { throw peer }
        if own != nil { throw SessionFrame.nonsense("the end of what has not been sent yet") }
    }

    /// - Returns: why not all was sent.
    private func write(
        to writer: Writer, _ body: @Sendable (Writer) async throws -> Void
    ) async -> (any Error)? {
        do {
            try await body(writer)
            try await writer.send(.end)
            return nil
        } catch {
            if writer.peerHasEnded.isRaised { return PeerHasEnded() }
            try? await stream.write(SessionFrame.failed(.told(error)).encoded[...])
            try? await stream.finish()
            return error
        }
    }

    private func listen() async -> GodwitError? {
        var frames = frames
        do {
            switch try await frames.next() {
            case .end: return nil
            case .failed(let failure): return failure
            case .distrust, .data, .note:
                return SessionFrame.nonsense("a frame in the wrong place")
            }
        } catch { return .told(error) }
    }
}
