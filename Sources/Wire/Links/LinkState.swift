import MigrationCore
import NIOCore

/// What one connection owes its reader and its writer. It does no I/O.
///
/// All of it is called with a lock held, so it wakes nobody: it notes who is to be woken, for
/// `takeWakes`. To resume a task takes the task's own lock, which whoever cancels the task holds
/// while its cancellation handler waits for ours.
struct LinkState {
    typealias Reader = CheckedContinuation<Frame?, any Error>
    typealias Writer = CheckedContinuation<Void, any Error>

    /// Bytes and frames that wait for the reader; from there on the peer is not read.
    static let inboxBytes = 512 << 10
    static let inboxFrames = 64
    /// Bytes that wait for the socket: above the first the writer waits, below the second it goes
    /// on.
    static let highWater = 1 << 20
    static let lowWater = 512 << 10

    enum Ending {
        case end
        case failed(GodwitError)
    }

    /// To be called without the lock.
    typealias Wake = @Sendable () -> Void

    enum Taken {
        case frame(Frame)
        case ended
        case nothing
    }

    private var inbox = CircularBuffer<Frame>()
    private var waitingBytes = 0
    private var reader: Reader?
    private var isReading = false
    private(set) var ending: Ending?

    private var inFlight = 0
    private var writer: Writer?
    /// Nothing more may be written: this side has said so, or the peer's end was answered with it.
    private(set) var hasSaidEnd = false
    private var isEndFlushed = false

    private var wakes: [Wake] = []

    private(set) var isDiscarding = false
    private var lastHeard = NIODeadline.now()

    var failure: GodwitError? {
        if case .failed(let error) = ending { error } else { nil }
    }

    /// Both sides have said all, and this side's word has left: the connection can go.
    var isOver: Bool {
        if case .end = ending { isEndFlushed } else { false }
    }

    // MARK: Reading

    mutating func hear(_ frame: Frame) {
        guard !isDiscarding, ending == nil else { return }
        if let waiting = reader {
            reader = nil
            wakes.append { waiting.resume(returning: frame) }
        } else {
            inbox.append(frame)
            waitingBytes += frame.payload.count
        }
    }

    /// What arrived before an error is still read; what this side gave up on is not.
    mutating func take() throws(GodwitError) -> Taken {
        if let frame = inbox.popFirst() {
            waitingBytes -= frame.payload.count
            return .frame(frame)
        }
        return switch ending {
        case .failed(let error): throw error
        case .end: .ended
        case nil: .nothing
        }
    }

    mutating func awaitFrame(_ waiting: Reader) {
        precondition(reader == nil, "two readers of one connection")
        do {
            switch try take() {
            case .frame(let frame): wakes.append { waiting.resume(returning: frame) }
            case .ended: wakes.append { waiting.resume(returning: nil) }
            case .nothing: reader = waiting
            }
        } catch { wakes.append { waiting.resume(throwing: error) } }
    }

    /// Whether the socket is to be read now; marks it as being read.
    mutating func demand() -> Bool {
        let hasRoom =
            ending == nil && waitingBytes < Self.inboxBytes && inbox.count < Self.inboxFrames
        guard !isReading, hasRoom || isDiscarding else { return false }
        isReading = true
        lastHeard = .now()
        return true
    }

    mutating func readCompleted() {
        isReading = false
        lastHeard = .now()
    }

    /// Time without a byte; zero while this side does not listen.
    func silence(at now: NIODeadline) -> TimeAmount {
        isReading ? now - lastHeard : .zero
    }

    // MARK: Writing

    var isIdle: Bool { inFlight == 0 }

    /// True if the writer is to wait for room after this.
    mutating func write(_ bytes: Int) throws(GodwitError) -> Bool {
        if let failure { throw failure }
        guard !hasSaidEnd else { throw GodwitError(.cancelled, "the connection is being closed") }
        inFlight += bytes
        return inFlight > Self.highWater
    }

    mutating func wrote(_ bytes: Int) {
        inFlight -= bytes
        guard inFlight <= Self.lowWater, let waiting = writer else { return }
        writer = nil
        wakes.append { waiting.resume() }
    }

    mutating func awaitRoom(_ waiting: Writer) {
        precondition(writer == nil, "two writers of one connection")
        if let failure {
            wakes.append { waiting.resume(throwing: failure) }
        } else if inFlight <= Self.lowWater {
            wakes.append { waiting.resume() }
        } else {
            writer = waiting
        }
    }

    /// False if it was said before.
    mutating func sayEnd() throws(GodwitError) -> Bool {
        if let failure { throw failure }
        guard !hasSaidEnd else { return false }
        hasSaidEnd = true
        return true
    }

    mutating func endFlushed() { isEndFlushed = true }

    // MARK: Waking

    /// Who is to be woken once the lock is free.
    mutating func takeWakes() -> [Wake] {
        defer { wakes = [] }
        return wakes
    }

    // MARK: Ending

    /// The first ending counts, but for a peer that said its end and then vanished while this side
    /// still wrote. False if nothing changed.
    mutating func end(_ how: Ending) -> Bool {
        switch (ending, how) {
        case (nil, _): break
        case (.end, .failed) where !isEndFlushed: break
        default: return false
        }
        let waiting = (reader, writer)
        (reader, writer) = (nil, nil)
        switch how {
        case .end: wakes.append { waiting.0?.resume(returning: nil) }
        case .failed(let error):
            wakes.append {
                waiting.0?.resume(throwing: error)
                waiting.1?.resume(throwing: error)
            }
        }
        ending = how
        if case .end = how { writer = waiting.1 }
        return true
    }

    /// From here on nothing that arrives matters, only that the peer hangs up.
    mutating func discard() {
        isDiscarding = true
        inbox.removeAll()
        waitingBytes = 0
    }
}
