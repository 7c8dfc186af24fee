import Synchronization

/// Hands chunks from one writer to one reader; the writer waits while `capacity` chunks lie there.
///
/// A cancelled task that waits here, on either side, finishes the queue.
package final class ByteQueue: Sendable {
    private struct State {
        var chunks: [[UInt8]] = []
        var isFinished = false
        var reader: CheckedContinuation<[UInt8]?, Never>?
        var writer: CheckedContinuation<Void, Never>?
    }

    private let capacity: Int
    private let state = Mutex(State())

    package init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
    }

    /// Returns when there is room for another chunk; drops the chunk after `finish`.
    package func send(_ chunk: [UInt8]) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (reader, isWaiting) = put(chunk, continuation)
                reader?.resume(returning: chunk)
                if !isWaiting { continuation.resume() }
            }
        } onCancel: {
            finish()
        }
    }

    /// The next chunk; nil once the queue is finished and empty.
    package func next() async -> [UInt8]? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (chunk, writer, isWaiting) = take(continuation)
                writer?.resume()
                if !isWaiting { continuation.resume(returning: chunk) }
            }
        } onCancel: {
            finish()
        }
    }

    package func finish() {
        let (reader, writer) = state.withLock { state in
            state.isFinished = true
            defer { (state.reader, state.writer) = (nil, nil) }
            return (state.reader, state.writer)
        }
        reader?.resume(returning: nil)
        writer?.resume()
    }

    private func put(
        _ chunk: [UInt8], _ continuation: CheckedContinuation<Void, Never>
    ) -> (reader: CheckedContinuation<[UInt8]?, Never>?, isWaiting: Bool) {
        state.withLock { state in
            precondition(state.writer == nil, "one writer")
            if state.isFinished { return (nil, false) }
            if let reader = state.reader {
                state.reader = nil
                return (reader, false)
            }
            state.chunks.append(chunk)
            guard state.chunks.count >= capacity else { return (nil, false) }
            state.writer = continuation
            return (nil, true)
        }
    }

    private func take(
        _ continuation: CheckedContinuation<[UInt8]?, Never>
    ) -> (chunk: [UInt8]?, writer: CheckedContinuation<Void, Never>?, isWaiting: Bool) {
        state.withLock { state in
            precondition(state.reader == nil, "one reader")
            guard state.chunks.isEmpty else {
                defer { state.writer = nil }
                return (state.chunks.removeFirst(), state.writer, false)
            }
            if state.isFinished { return (nil, nil, false) }
            state.reader = continuation
            return (nil, nil, true)
        }
    }
}
