import MigrationCore
import Synchronization

/// Where the streams of one migration, as its source opens them, meet the steps that take them.
final class StreamDesk: Sendable {
    private struct Arrival {
        let stream: any ByteStream
        let released = Latch()
    }

    private struct Slot {
        let arrivals: AsyncStream<Arrival>
        let arrived: AsyncStream<Arrival>.Continuation
        /// A newer stream takes the place of an older one.
        let isRepeated: Bool
        var newest: Arrival?

        init(isRepeated: Bool) {
            self.isRepeated = isRepeated
            (arrivals, arrived) = AsyncStream.makeStream()
        }
    }

    private let slots = Mutex<[StreamHello.Purpose: Slot]>([:])

    /// From now on one stream is welcome for each purpose.
    func expect(_ purposes: [StreamHello.Purpose]) {
        slots.withLock { slots in
            for purpose in purposes where slots[purpose] == nil {
                slots[purpose] = Slot(isRepeated: purpose.isPages)
            }
        }
    }

    /// Gives the stream to the step that takes it and returns when that is done with it.
    ///
    /// - Returns: false, at once, if no such stream is expected.
    func bring(_ stream: any ByteStream, for purpose: StreamHello.Purpose) async -> Bool {
        let arrival = Arrival(stream: stream)
        let slot: Slot? = slots.withLock { slots in
            guard let slot = slots[purpose], slot.newest == nil || slot.isRepeated else {
                return nil
            }
            slots[purpose]?.newest = arrival
            return slot
        }
        guard let slot else { return false }
        // Nobody may ever have taken the older one.
        await slot.newest?.stream.cancel()
        slot.newest?.released.open()
        slot.arrived.yield(arrival)
        await arrival.released.wait()
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
        for await arrival in slot.arrivals {
            defer { arrival.released.open() }
            let value = try await body(arrival.stream)
            await arrival.stream.settle()
            return value
        }
        throw CancellationError()
    }

    /// Lets the body have one stream after the other, each until the body is done with it or a
    /// newer one comes, until the caller is cancelled.
    func takeEach(
        _ purpose: StreamHello.Purpose, _ body: (any ByteStream) async throws -> Void
    ) async {
        precondition(purpose.isPages)
        guard let slot = slots.withLock({ $0[purpose] }) else {
            preconditionFailure("a stream is taken that was not expected")
        }
        for await arrival in slot.arrivals {
            // It comes again for what is left to do.
            try? await body(arrival.stream)
            await arrival.stream.cancel()
            arrival.released.open()
        }
    }

    /// Cuts whatever stands here; nothing is expected any more.
    func close() async {
        let slots = slots.withLock { slots in
            defer { slots = [:] }
            return Array(slots.values)
        }
        for slot in slots {
            slot.arrived.finish()
            await slot.newest?.stream.cancel()
            slot.newest?.released.open()
        }
    }
}

extension StreamHello.Purpose {
    fileprivate var isPages: Bool { if case .pages = self { true } else { false } }
}
