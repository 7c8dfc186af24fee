import Foundation
import LinuxHost
import MigrationCore
import Synchronization

/// One end of one pass of a volume: a tool here converses with the tool there.
///
/// Each end tells the other how its tool ended. Whichever fails, both end, and both throw the
/// reason that came first.
struct ToolSession: Sendable {
    let tool: ConversingTool
    let stream: any ByteStream
    /// What has been read of the stream already.
    let frames: SessionFrameReader
    /// Whether a tool here loses its partner by the end of what it reads, or has to be killed.
    var noticesEnd = true
    /// Whether the tool keeps what has come when it reads no more, for which it gets a moment.
    var endsGently = false
    /// Takes paths that the peer distrusts; nil where none may come.
    var distrust: (@Sendable ([[UInt8]]) async throws -> Void)?
    /// Bytes sent so far.
    var progress: @Sendable (ByteCount) -> Void = { _ in }
    /// Whether the stream ends with it; another session may follow otherwise.
    var isLast = true
    /// What is to be done once the tool has ended, from how it did and what it said.
    ///
    /// Returns nil for success; `linkLost` where the other end must know the reason.
    let conclude: @Sendable (ExitStatus, String) async -> GodwitError?

    /// Returns when both ends are done. Cancelling the task kills the tool and cancels the stream.
    ///
    /// - Returns: what is to be read by the next session.
    @discardableResult
    func run() async throws -> SessionFrameReader {
        let ends = await Result(catching: { try await converse() })
        _ = await tool.child.wait()
        try Task.checkCancellation()
        let (own, peer) = try ends.get()
        let failure = reason(own, peer.failure)
        if isLast || failure != nil { try? await stream.finish() }
        if let failure { throw failure }
        return peer.rest
    }

    /// An end that only lost its partner does not know the reason; a full disk explains everything
    /// else.
    private func reason(_ own: GodwitError?, _ peer: GodwitError?) -> GodwitError? {
        guard let own, let peer else { return own ?? peer }
        if own.code == .noSpace { return own }
        return peer.code == .noSpace || peerWasFirst.isRaised ? peer : own
    }

    /// Whether the peer had failed before the tool here ended.
    private let peerWasFirst = Flag()
    private let peerHasFailed = Flag()

    private enum Part { case own(GodwitError?), peer(PeerEnd), cancelled }

    private struct PeerEnd {
        let failure: GodwitError?
        let rest: SessionFrameReader
    }

    private func converse() async throws -> (own: GodwitError?, peer: PeerEnd) {
        let isOver = Flag()
        return try await withThrowingTaskGroup(of: Part.self) { group in
            group.addTask { .own(try await carryOutgoing()) }
            group.addTask { .peer(try await carryIncoming()) }
            group.addTask {
                await killWhenCancelled(unless: isOver)
                return .cancelled
            }
            var own: GodwitError??
            var peer: PeerEnd?
            while true {
                switch try await group.next() {
                case .own(let failure): own = .some(failure)
                case .peer(let end): peer = end
                case .cancelled, nil: throw CancellationError()
                }
                guard let own, let peer else { continue }
                isOver.raise()
                group.cancelAll()
                return (own, peer)
            }
        }
    }

    /// From the tool to the stream until the tool ends, then how it ended.
    private func carryOutgoing() async throws -> GodwitError? {
        async let said = tool.said()
        do {
            var sent = ByteCount.zero
            while true {
                let bytes = try await blocking { [tool] in try tool.output.read(upTo: chunk) }
                if bytes.isEmpty { break }
                try await stream.write(SessionFrame.data(bytes).encoded[...])
                sent += ByteCount(bytes: UInt64(bytes.count))
                progress(sent)
            }
            let status = await tool.child.wait()
            if peerHasFailed.isRaised { peerWasFirst.raise() }
            let failure = await conclude(status, try await said)
            let frame = failure.map(SessionFrame.failed) ?? .end
            try await stream.write(frame.encoded[...])
            return failure
        } catch {
            // `said` ends with the tool, and this scope only after `said`.
            await stop()
            throw error
        }
    }

    /// From the stream to the tool until the peer says that its own has ended, and how.
    private func carryIncoming() async throws -> PeerEnd {
        var frames = frames
        var hasEnded = false
        var hasData = false
        while true {
            switch try await next(&frames) {
            case .distrust(let paths):
                guard let distrust, !hasData else {
                    throw SessionFrame.nonsense("paths to distrust in the wrong place")
                }
                try await distrust(paths)
            case .note: throw SessionFrame.nonsense("a note in the wrong place")
            case .data(let bytes):
                hasData = true
                // A tool that has ended reads no more; the peer goes on until it has learned of it.
                if !hasEnded { hasEnded = await !feed(bytes) }
            case .end:
                tool.input.close()
                return PeerEnd(failure: nil, rest: frames)
            case .failed(let failure):
                peerHasFailed.raise()
                tool.input.close()
                // It may wait for something else: a pipe in its tree, in the place of a file.
                if noticesEnd { await tool.child.end(within: 5_000) }
                tool.child.signalGroup(SIGKILL)
                return PeerEnd(failure: failure, rest: frames)
            }
        }
    }

    private func next(_ frames: inout SessionFrameReader) async throws -> SessionFrame {
        do { return try await frames.next() } catch {
            tool.input.close()
            throw error
        }
    }

    private func feed(_ bytes: [UInt8]) async -> Bool {
        do {
            try await blocking { [tool] in try tool.input.write(bytes[...]) }
            return true
        } catch { return false }
    }

    private func killWhenCancelled(unless isOver: Flag) async {
        await untilCancelled()
        guard !isOver.isRaised else { return }
        await stream.cancel()
        await stop()
    }

    private func stop() async {
        if endsGently { await tool.child.end(within: 1_000) }
        tool.child.signalGroup(SIGKILL)
    }
}

/// Bytes taken from a tool at a time.
private let chunk = 256 << 10

final class Flag: Sendable {
    private let raised = Atomic(false)
    var isRaised: Bool { raised.load(ordering: .acquiring) }
    func raise() { raised.store(true, ordering: .releasing) }
}

extension Result where Failure == any Error {
    fileprivate init(catching body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
