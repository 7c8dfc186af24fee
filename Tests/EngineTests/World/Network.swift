import MigrationCore
import Synchronization

/// One direction of a connection in memory.
final class Pipe<Element: Sendable>: Sendable {
    private struct State {
        var items: [Element] = []
        var isFinished = false
        var isCut = false
    }

    private let state = Mutex(State())

    func put(_ element: Element) throws {
        try state.withLock { state in
            guard !state.isCut, !state.isFinished else {
                throw GodwitError(.linkLost, "the connection is closed")
            }
            state.items.append(element)
        }
    }

    func finish() { state.withLock { $0.isFinished = true } }
    func cut() { state.withLock { $0.isCut = true } }

    /// The next element; nil at the end, an error if the connection was cut.
    func next() async throws -> Element? {
        while true {
            let (element, isOver): (Element?, Bool) = try state.withLock { state in
                if !state.items.isEmpty { return (state.items.removeFirst(), false) }
                guard !state.isCut else { throw GodwitError(.linkLost, "the connection was cut") }
                return (nil, state.isFinished)
            }
            if let element { return element }
            if isOver { return nil }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}

final class FakeStream: ByteStream {
    private let input: Pipe<[UInt8]>
    private let output: Pipe<[UInt8]>

    init(_ input: Pipe<[UInt8]>, _ output: Pipe<[UInt8]>) {
        self.input = input
        self.output = output
    }

    func read() async throws -> [UInt8]? { try await input.next() }
    func write(_ bytes: ArraySlice<UInt8>) async throws { try output.put(Array(bytes)) }
    func finish() async throws { output.finish() }
    func cancel() async {
        input.cut()
        output.cut()
    }
}

final class FakeChannel: MessageChannel {
    private let network: Network
    private let input: Pipe<Envelope>
    private let output: Pipe<Envelope>

    init(_ network: Network, _ input: Pipe<Envelope>, _ output: Pipe<Envelope>) {
        self.network = network
        self.input = input
        self.output = output
    }

    func send(_ envelope: Envelope) async throws {
        guard network.lets(envelope.message) else {
            throw GodwitError(.linkLost, "the connection was cut")
        }
        try output.put(envelope)
    }

    func receive() async throws -> Envelope? { try await input.next() }
    func close() async {
        output.finish()
        input.finish()
    }
}

/// The wire between the two hosts: it can be cut at a message, and be down for a while.
final class Network: Sendable {
    private struct State {
        var isDown = false
        var cutAt: String?
        var log: [String] = []
        var cuts: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    var isDown: Bool {
        get { state.withLock { $0.isDown } }
        set { state.withLock { $0.isDown = newValue } }
    }

    /// What was said, in order, by name.
    var log: [String] { state.withLock { $0.log } }

    /// Everything is cut when this message is about to leave; it does not arrive. Once.
    func cut(at message: String) { state.withLock { $0.cutAt = message } }

    func cut() {
        let cuts = state.withLock { state in
            defer { state.cuts = [] }
            return state.cuts
        }
        cuts.forEach { $0() }
    }

    func onCut(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.cuts.append(body) } }

    func lets(_ message: Message) -> Bool {
        let name = String("\(message)".prefix { $0 != "(" })
        let isCut = state.withLock { state in
            guard state.cutAt == name else {
                state.log.append(name)
                return false
            }
            state.cutAt = nil
            return true
        }
        if isCut { cut() }
        return !isCut
    }
}
