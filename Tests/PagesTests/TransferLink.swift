import MigrationCore
import Synchronization
import TestSupport

/// Two ends of a stream within this process. A writer is held up while the other end has more than
/// four pieces to read, as a socket would do it.
final class TransferLink: ByteStream {
    private let incoming: Pipe
    private let outgoing: Pipe

    private init(incoming: Pipe, outgoing: Pipe) {
        self.incoming = incoming
        self.outgoing = outgoing
    }

    static func pair() -> (source: TransferLink, target: TransferLink) {
        let (there, back) = (Pipe(), Pipe())
        return (
            TransferLink(incoming: back, outgoing: there),
            TransferLink(incoming: there, outgoing: back)
        )
    }

    static func pairs(_ count: Int) -> (sources: [TransferLink], targets: [TransferLink]) {
        let pairs = (0..<count).map { _ in pair() }
        return (pairs.map(\.source), pairs.map(\.target))
    }

    func read() async throws -> [UInt8]? { try await incoming.read() }
    func write(_ bytes: ArraySlice<UInt8>) async throws { try await outgoing.write(Array(bytes)) }
    func finish() async throws { outgoing.change { $0.isFinished = true } }

    func cancel() async {
        incoming.change { $0.isCut = true }
        outgoing.change { $0.isCut = true }
    }
}

private final class Pipe: Sendable {
    struct State {
        var pieces: [[UInt8]] = []
        var isFinished = false
        var isCut = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func read() async throws -> [UInt8]? {
        await wait { !$0.pieces.isEmpty || $0.isFinished || $0.isCut }
        return try change { state in
            // What has arrived may still be read, as from a socket.
            if !state.pieces.isEmpty { return state.pieces.removeFirst() }
            if state.isCut { throw Self.cut }
            return nil
        }
    }

    func write(_ bytes: [UInt8]) async throws {
        await wait { $0.pieces.count < 4 || $0.isCut }
        try change { state in
            if state.isCut { throw Self.cut }
            state.pieces.append(bytes)
        }
    }

    @discardableResult
    func change<Value: Sendable>(_ body: (inout State) throws -> Value) rethrows -> Value {
        let (value, waiting) = try state.withLock { state in
            let value = try body(&state)
            defer { state.waiting = [] }
            return (value, state.waiting)
        }
        waiting.forEach { $0.resume() }
        return value
    }

    private func wait(until isReady: @Sendable (State) -> Bool) async {
        while !state.withLock({ isReady($0) }) {
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

    private static let cut = GodwitError(.linkLost, "the test's link was cut")
}

/// A peer that says what it says, whatever it is told.
struct DeafPeer: ByteStream {
    private let words: MemoryStream

    init(saying bytes: [UInt8], inPiecesOf size: Int = 1 << 20) {
        words = MemoryStream(saying: bytes, inPiecesOf: size)
    }

    func read() async throws -> [UInt8]? { try await words.read() }
    func write(_ bytes: ArraySlice<UInt8>) async throws {}
    func finish() async throws {}
    func cancel() async { await words.cancel() }
}

/// Passes on and keeps what is written.
final class RecordingStream: ByteStream {
    private let stream: any ByteStream
    private let bytes = Mutex<[UInt8]>([])

    init(_ stream: any ByteStream) { self.stream = stream }

    var written: [UInt8] { bytes.withLock { $0 } }

    func read() async throws -> [UInt8]? { try await stream.read() }

    func write(_ bytes: ArraySlice<UInt8>) async throws {
        self.bytes.withLock { $0 += bytes }
        try await stream.write(bytes)
    }

    func finish() async throws { try await stream.finish() }
    func cancel() async { await stream.cancel() }
}
