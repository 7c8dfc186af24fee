/// Hands chunks from one writer to one reader; the writer waits while `capacity` chunks lie there.
package actor ByteQueue {
    private let capacity: Int
    private var chunks: [[UInt8]] = []
    private var isFinished = false
    private var reader: CheckedContinuation<[UInt8]?, Never>?
    private var writer: CheckedContinuation<Void, Never>?

    package init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
    }

    /// Returns at once after `finish`, and drops the chunk.
    package func send(_ chunk: [UInt8]) async {
        precondition(writer == nil, "one writer")
        while chunks.count >= capacity, !isFinished {
            await withCheckedContinuation { writer = $0 }
        }
        guard !isFinished else { return }
        if let waiting = reader {
            reader = nil
            waiting.resume(returning: chunk)
        } else {
            chunks.append(chunk)
        }
    }

    /// The next chunk; nil once the queue is finished and empty.
    package func next() async -> [UInt8]? {
        precondition(reader == nil, "one reader")
        if !chunks.isEmpty {
            let chunk = chunks.removeFirst()
            wakeWriter()
            return chunk
        }
        guard !isFinished else { return nil }
        return await withCheckedContinuation { reader = $0 }
    }

    package func finish() {
        isFinished = true
        reader?.resume(returning: nil)
        reader = nil
        wakeWriter()
    }

    private func wakeWriter() {
        writer?.resume()
        writer = nil
    }
}
