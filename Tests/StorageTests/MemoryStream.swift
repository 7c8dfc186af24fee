import MigrationCore
import Synchronization

/// Two ends of a stream within this process, each way bounded as a socket is.
final class MemoryStream: ByteStream {
    private let incoming: Way
    private let outgoing: Way

    private init(incoming: Way, outgoing: Way) {
        self.incoming = incoming
        self.outgoing = outgoing
    }

    /// - Parameter cutAfter: bytes of the first end after which the link breaks.
    static func pair(cutAfter: Int? = nil) -> (MemoryStream, MemoryStream) {
        let there = Way(cutAfter: cutAfter)
        let back = Way(cutAfter: nil)
        return (
            MemoryStream(incoming: back, outgoing: there),
            MemoryStream(incoming: there, outgoing: back)
        )
    }

    func read() async throws -> [UInt8]? { try await incoming.read() }

    func write(_ bytes: ArraySlice<UInt8>) async throws {
        do { try await outgoing.write(bytes) } catch {
            await cancel()
            throw error
        }
    }

    func finish() async throws { outgoing.finish() }

    func cancel() async {
        incoming.cut()
        outgoing.cut()
    }

    /// Bytes that this end has sent.
    var sent: Int { outgoing.total }
}

private final class Way: Sendable {
    private struct State {
        var chunks: [[UInt8]] = []
        var size = 0
        var total = 0
        var isFinished = false
        var isCut = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let cutAfter: Int?
    private static let capacity = 1 << 20

    init(cutAfter: Int?) { self.cutAfter = cutAfter }

    var total: Int { state.withLock(\.total) }

    func read() async throws -> [UInt8]? {
        while true {
            let (bytes, isOver) = try change { state -> ([UInt8]?, Bool) in
                if state.isCut { throw Self.lost }
                guard !state.chunks.isEmpty else { return (nil, state.isFinished) }
                let first = state.chunks.removeFirst()
                state.size -= first.count
                return (first, false)
            }
            if bytes != nil || isOver { return bytes }
            await changed { !$0.chunks.isEmpty || $0.isFinished || $0.isCut }
        }
    }

    func write(_ bytes: ArraySlice<UInt8>) async throws {
        precondition(!bytes.isEmpty)
        await changed { $0.size < Self.capacity || $0.isCut }
        try change { state in
            precondition(!state.isFinished, "written after the end")
            if state.isCut { throw Self.lost }
            state.total += bytes.count
            if let cutAfter, state.total > cutAfter { throw Self.lost }
            state.chunks.append(Array(bytes))
            state.size += bytes.count
        }
    }

    func finish() { try? change { $0.isFinished = true } }
    func cut() { try? change { $0.isCut = true } }

    private static let lost = GodwitError(.linkLost, "the test cut the link")

    private func change<Value: Sendable>(_ body: (inout State) throws -> Value) throws -> Value {
        let (result, waiting) = state.withLock { state in
            let result = Result { try body(&state) }
            let waiting = state.waiting
            state.waiting = []
            return (result, waiting)
        }
        waiting.forEach { $0.resume() }
        return try result.get()
    }

    private func changed(until isReady: @Sendable (State) -> Bool) async {
        while true {
            if state.withLock({ isReady($0) }) { return }
            await withCheckedContinuation { continuation in
                let isLate = state.withLock { state in
                    if isReady(state) { return true }
                    state.waiting.append(continuation)
                    return false
                }
                if isLate { continuation.resume() }
            }
        }
    }
}
