import MigrationCore
package import NIOCore
import NIOSSL
import Synchronization

/// One connection to a peer, after TLS: frames out with back-pressure, frames in on demand.
///
/// Callable from anywhere; one reader and one writer at a time. Cancelling a waiting task ends it.
final class FrameLink: Sendable {
    let channel: any Channel
    /// Who is at the other end, for error texts: a name and an address.
    let peer: String
    let timing: WireTiming
    private let state = Mutex(LinkState())

    init(_ channel: any Channel, peer: String, timing: WireTiming) {
        self.channel = channel
        self.peer = peer
        self.timing = timing
    }

    /// Looks at the state or changes it, then wakes who has waited for that.
    private func change<Value: Sendable, Failure: Error>(
        _ body: (inout LinkState) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        var wakes: [LinkState.Wake] = []
        defer { for wake in wakes { wake() } }
        return try state.withLock { (state) throws(Failure) -> Value in
            defer { wakes = state.takeWakes() }
            return try body(&state)
        }
    }

    var isOver: Bool { change { $0.failure != nil || $0.isOver } }

    // MARK: Reading

    /// The next frame; nil once the peer has said its end.
    func next() async throws -> Frame? {
        let (taken, isDemanded) = try change { (try $0.take(), $0.demand()) }
        if isDemanded { channel.read() }
        switch taken {
        case .frame(let frame): return frame
        case .ended: return nil
        case .nothing: break
        }
        return try await cancellable {
            try await withCheckedThrowingContinuation { waiting in
                change { $0.awaitFrame(waiting) }
            }
        }
    }

    /// Asks the socket for more if there is room.
    func demand() {
        if change({ $0.demand() }) { channel.read() }
    }

    // MARK: Writing

    /// Sends a frame; returns when there is room for the next.
    func write(_ kind: FrameKind, _ payload: ArraySlice<UInt8>) async throws {
        let size = FrameHeader.size + payload.count
        let isFull = try change { try $0.write(size) }
        channel.writeAndFlush(Frame.bytes(kind, payload, channel.allocator)).whenComplete {
            result in
            self.change { $0.wrote(size) }
            if case .failure(let error) = result { self.lose(error) }
        }
        guard isFull else { return }
        try await cancellable {
            try await withCheckedThrowingContinuation { waiting in
                change { $0.awaitRoom(waiting) }
            }
        }
    }

    /// Sends a frame; returns when it is on the wire.
    func send(_ kind: FrameKind, _ payload: [UInt8]) async throws {
        _ = try change { try $0.write(0) }
        try await flush(kind, payload)
    }

    /// Says that nothing more will be written; returns when that is on the wire.
    func finish() async throws {
        if try change({ try $0.sayEnd() }) { try await flush(.end, []) }
    }

    private func flush(_ kind: FrameKind, _ payload: [UInt8]) async throws {
        try await cancellable {
            let frame = Frame.bytes(kind, payload[...], channel.allocator)
            let written = channel.eventLoop.makePromise(of: Void.self)
            // On the event loop, so that the peer's answer, and its hanging up, can only come
            // later.
            if kind == .end { written.futureResult.whenSuccess { self.endIsOut() } }
            channel.writeAndFlush(frame, promise: written)
            do { try await written.futureResult.get() } catch {
                lose(error)
                throw change { $0.failure } ?? linkLost("\(error)")
            }
        }
    }

    private func endIsOut() {
        let isOver = change { state in
            state.endFlushed()
            return state.isOver
        }
        if isOver { hangUp() }
    }

    // MARK: Ending

    func cancel() {
        let reason = GodwitError(.cancelled, "the other host cancelled the conversation")
        fail(
            GodwitError(.cancelled, "the conversation with \(peer) was cancelled"),
            telling: reason
        )
    }

    /// Ends both directions with this error, and tells the peer `reason` if the socket takes it.
    func fail(_ error: GodwitError, telling reason: GodwitError? = nil) {
        let isNew = change { state in
            guard state.end(.failed(error)) else { return false }
            state.discard()
            return true
        }
        guard isNew else { return }
        if let reason { tell(reason) } else { hangUp() }
    }

    /// Says why and waits for the peer to hang up first: data that it still sends would otherwise
    /// make the kernel reset the connection, and the reset may overtake the reason.
    private func tell(_ reason: GodwitError) {
        let frame = Frame.bytes(.failure, Payload.encode(failure: reason)[...], channel.allocator)
        channel.writeAndFlush(frame, promise: nil)
        awaitHangUp()
    }

    /// After the last word: ignores what still comes, and closes when the peer does or is too slow.
    func awaitHangUp() {
        change { $0.discard() }
        demand()
        hangUp(after: timing.linger)
    }

    func lose(_ cause: any Error) { lose("\(cause)") }

    /// What has arrived whole may still be read.
    func lose(_ cause: String) {
        if change({ $0.end(.failed(linkLost(cause))) }) { hangUp() }
    }

    private func linkLost(_ cause: String) -> GodwitError {
        GodwitError(
            .linkLost,
            "the connection to \(peer) was lost",
            remedy:
                "check the network between the hosts, and that the daemon runs on the other one",
            cause: cause
        )
    }

    /// Lets go of the connection without losing what was said: if the end was said, until the peer
    /// has said its own; if not, the peer is told.
    func abandon(within patience: TimeAmount) {
        let (isFailed, isFinished) = change { ($0.failure != nil, $0.hasSaidEnd) }
        guard !isFailed, channel.isActive else { return }
        guard isFinished else {
            let reason = GodwitError(.cancelled, "the other host closed the stream before its end")
            return fail(GodwitError(.cancelled, "the stream was closed"), telling: reason)
        }
        change { $0.discard() }
        demand()
        hangUp(after: patience)
    }

    func hangUp(after delay: TimeAmount) {
        let timer = channel.eventLoop.scheduleTask(in: delay) { self.hangUp() }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
    }

    /// Closes the socket now, past TLS: the end frame has told the peer that nothing is missing.
    func hangUp() { Wire.hangUp(channel) }

    private func cancellable<Value: Sendable>(_ body: () async throws -> Value) async throws
        -> Value
    {
        try await withTaskCancellationHandler(operation: body) {
            cancel()
        }
    }
}

extension FrameLink {
    // MARK: What the handler reports, on the event loop

    func heard(_ frame: Frame, isControl: Bool) {
        switch frame.kind {
        case .ping: break
        case .end: heardEnd(answering: isControl)
        case .failure:
            _ = change { $0.end(.failed(Payload.decode(failure: frame.payload))) }
            hangUp()
        case .hello, .message, .data: change { $0.hear(frame) }
        }
    }

    private func heardEnd(answering: Bool) {
        let (mayAnswer, isDiscarding) = change { state in
            _ = state.end(.end)
            return (state.failure == nil && answering && !state.hasSaidEnd, state.isDiscarding)
        }
        if mayAnswer, (try? change({ try $0.sayEnd() })) == true {
            channel.writeAndFlush(Frame.bytes(.end, [], channel.allocator)).whenComplete { _ in
                self.endIsOut()
            }
        } else if isDiscarding || change({ $0.isOver }) {
            hangUp()
        }
    }

    func readCompleted() {
        let isDemanded = change { state in
            state.readCompleted()
            return state.demand()
        }
        if isDemanded { channel.read() }
    }

    /// One look at the link: is the peer silent, or the network?
    func beat(isControl: Bool) {
        guard !isOver else { return }
        let (silence, isIdle) = change { ($0.silence(at: .now()), $0.isIdle) }
        if isControl, silence > timing.silence {
            return lose("no sign of life for \(silence.nanoseconds / 1_000_000) ms")
        }
        if isControl, isIdle {
            let size = FrameHeader.size
            guard (try? change({ $0.hasSaidEnd ? nil : try $0.write(size) })) != nil else {
                return
            }
            channel.writeAndFlush(Frame.bytes(.ping, [], channel.allocator)).whenComplete { _ in
                self.change { $0.wrote(size) }
            }
        }
        watchAcknowledgements()
    }
}

/// Closes a socket at once, without TLS's farewell.
package func hangUp(_ channel: any Channel) {
    channel.eventLoop.execute {
        let pipeline = channel.pipeline.syncOperations
        if let tls = try? pipeline.context(handlerType: NIOSSLHandler.self) {
            tls.close(promise: nil)
        } else {
            channel.close(promise: nil)
        }
    }
}
