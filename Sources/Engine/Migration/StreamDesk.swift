import MigrationCore
import Synchronization

/// Where the streams of one migration, as its source opens them, meet the steps that take them.
final class StreamDesk: Sendable {
    private struct Slot {
        let arrivals: AsyncStream<any ByteStream>
        let arrived: AsyncStream<any ByteStream>.Continuation
        let released = Latch()
        var stream: (any ByteStream)?

        init() { (arrivals, arrived) = AsyncStream.makeStream() }
    }

    private let slots = Mutex<[StreamHello.Purpose: Slot]>([:])

    /// From now on one stream is welcome for each purpose.
    func expect(_ purposes: [StreamHello.Purpose]) {
        slots.withLock { slots in
            for purpose in purposes where slots[purpose] == nil { slots[purpose] = Slot() }
        }
    }

    /// Gives the stream to the step that takes it and returns when that is done with it.
    ///
    /// - Returns: false, at once, if no such stream is expected.
    func bring(_ stream: any ByteStream, for purpose: StreamHello.Purpose) async -> Bool {
        let slot: Slot? = slots.withLock { slots in
            guard let slot = slots[purpose], slot.stream == nil else { return nil }
            slots[purpose]?.stream = stream
            return slot
        }
        guard let slot else { return false }
        slot.arrived.yield(stream)
        await slot.released.wait()
        return true
    }

    /// Lets the body have the stream as soon as it comes, then ends it in good order.
    func take<Value>(
        _ purpose: StreamHello.Purpose,
        _ body: (any ByteStream) async throws -> Value
    ) async throws -> Value {
        guard let slot = slots.withLock({ $0[purpose] }) else {
            preconditionFailure("a stream is taken that was not expected")
        }
        defer { slot.released.open() }
        for await stream in slot.arrivals {
            let value = try await body(stream)
            await stream.settle()
            return value
        }
        throw CancellationError()
    }

    /// Cuts whatever stands here; nothing is expected any more.
    func close() async {
        let slots = slots.withLock { slots in
            defer { slots = [:] }
            return Array(slots.values)
        }
        for slot in slots {
            slot.arrived.finish()
            await slot.stream?.cancel()
            slot.released.open()
        }
    }
}
