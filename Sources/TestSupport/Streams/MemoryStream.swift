import MigrationCore

/// One direction of a connection, in memory: what is written can be read.
package actor MemoryStream: ByteStream {
    private var chunks: [[UInt8]] = []
    private var isFinished = false
    private var failure: GodwitError?
    private var waiting: CheckedContinuation<Void, Never>?

    package init() {}

    /// A peer that has said all this, in pieces of at most `size` bytes, and has finished.
    package init(saying bytes: [UInt8], inPiecesOf size: Int = 1 << 20) {
        chunks = stride(from: 0, to: bytes.count, by: size).map {
            Array(bytes[$0..<min($0 + size, bytes.count)])
        }
        isFinished = true
    }

    /// All that was written and not read.
    package var written: [UInt8] { chunks.flatMap { $0 } }

    package func read() async throws -> [UInt8]? {
        while chunks.isEmpty, !isFinished, failure == nil {
            await withCheckedContinuation { waiting = $0 }
        }
        if let failure { throw failure }
        return chunks.isEmpty ? nil : chunks.removeFirst()
    }

    package func write(_ bytes: ArraySlice<UInt8>) async throws {
        if let failure { throw failure }
        if !bytes.isEmpty { chunks.append(Array(bytes)) }
        wake()
    }

    package func finish() async throws {
        isFinished = true
        wake()
    }

    package func cancel() async {
        failure = failure ?? GodwitError(.linkLost, "the stream was cancelled")
        wake()
    }

    private func wake() {
        waiting?.resume()
        waiting = nil
    }
}
