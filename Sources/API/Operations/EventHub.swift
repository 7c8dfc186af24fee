package import MigrationCore
import Synchronization

/// Something that happened, as `GET /1.0/events` tells it.
package struct Event: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
        /// An operation was made, changed or ended; the metadata is the operation.
        case operation
        /// An instance's life: `action`, `name`, `source` (its path).
        case lifecycle
        /// The progress of a migration.
        case migration
    }

    package var type: Kind
    /// RFC 3339, in UTC.
    package var timestamp: String
    package var location: String
    package var project: String
    package var metadata: JSONValue

    package init(_ type: Kind, _ metadata: JSONValue) {
        self.type = type
        timestamp = rfc3339Now()
        location = "none"
        project = "default"
        self.metadata = metadata
    }
}

/// Where events go and where clients take them from. Nobody waits for a slow client: one that lets
/// `Limit.eventsQueued` events pile up loses its subscription.
package final class EventHub: Sendable {
    private struct State {
        var next = 0
        var subscribers: [Int: Subscriber] = [:]
    }

    private struct Subscriber {
        let kinds: Set<Event.Kind>
        let continuation: AsyncStream<Event>.Continuation
    }

    private let state = Mutex(State())

    package init() {}

    package var subscriberCount: Int { state.withLock(\.subscribers.count) }

    package func publish(_ event: Event) {
        let interested = state.withLock { state in
            state.subscribers.filter { $0.value.kinds.contains(event.type) }
        }
        for (number, subscriber) in interested {
            guard case .dropped = subscriber.continuation.yield(event) else { continue }
            subscriber.continuation.finish()
            forget(number)
        }
    }

    /// The events from now on; the sequence ends early if its reader is too slow.
    package func subscribe(to kinds: Set<Event.Kind>) -> AsyncStream<Event> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingOldest(Limit.eventsQueued))
        let number = state.withLock { state in
            state.next += 1
            state.subscribers[state.next] = Subscriber(kinds: kinds, continuation: continuation)
            return state.next
        }
        continuation.onTermination = { [weak self] _ in self?.forget(number) }
        return stream
    }

    private func forget(_ number: Int) {
        state.withLock { state in _ = state.subscribers.removeValue(forKey: number) }
    }
}

extension EventHub {
    /// Tells of a step in an instance's life, in the words of Incus (`instance-started`).
    package func publishLifecycle(
        _ action: String, _ name: InstanceName, snapshot: SnapshotName? = nil
    ) {
        let path = "/1.0/instances/\(name)" + (snapshot.map { "/snapshots/\($0)" } ?? "")
        let metadata: [String: JSONValue] = [
            "action": .string(action),
            "name": .string(name.text),
            "project": .string("default"),
            "source": .string(path),
        ]
        publish(Event(.lifecycle, .object(metadata)))
    }

    package func publish(_ progress: MigrationProgress) {
        // A value of our own always has an encoding.
        guard let metadata = try? JSONValue(encoding: progress) else { return }
        publish(Event(.migration, metadata))
    }
}
