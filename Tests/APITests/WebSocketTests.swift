import API
import MigrationCore
import Synchronization
import Testing

/// Events and exec over real websockets.
@Suite struct WebSocketTests {
    /// Collects the bytes of one stream.
    final class Collector: Sendable {
        private let bytes = Mutex<[UInt8]>([])
        var all: [UInt8] { bytes.withLock { $0 } }
        var text: String { String(decoding: all, as: UTF8.self) }
        func add(_ more: [UInt8]) { bytes.withLock { $0 += more } }
    }

    private func input(_ chunks: [[UInt8]]) -> AsyncStream<[UInt8]> {
        AsyncStream { continuation in
            for chunk in chunks { continuation.yield(chunk) }
            continuation.finish()
        }
    }

    @Test func `a command's streams and exit status come back`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            // What it says may come together with the answer that opens its stream.
            for _ in 0..<200 {
                let (output, errors) = (Collector(), Collector())
                let status = try await server.client.execute(
                    ["fail", "7"], in: InstanceName("web"), input: input([]),
                    output: { output.add($0) }, errorOutput: { errors.add($0) })
                #expect(status == 7)
                #expect(output.text == "out\n")
                #expect(errors.text == "err\n")
            }
        }
    }

    @Test func `a command reads all of a long input and ends with it`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let chunks = (0..<40).map { number in
                [UInt8](repeating: UInt8(number), count: 100_000)
            }
            let output = Collector()
            let status = try await server.client.execute(
                ["cat"], in: InstanceName("web"), input: input(chunks),
                output: { output.add($0) }, errorOutput: { _ in })
            #expect(status == 0)
            #expect(output.all == Array(chunks.joined()))
        }
    }

    @Test func `a command in no instance fails with the instance's error`() async throws {
        try await RunningServer.with { server in
            let failure = await code {
                _ = try await server.client.execute(
                    ["cat"], in: InstanceName("none"), input: input([]), output: { _ in },
                    errorOutput: { _ in })
            }
            #expect(failure == .notFound)
            let empty = try await server.ask(
                "POST", "/1.0/instances/none/exec", #"{"command": []}"#)
            #expect(empty.status == 400)
        }
    }

    @Test func `a client that leaves ends its command`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let output = Collector()
            let leaving = Task {
                try await server.client.execute(
                    ["wait"], in: InstanceName("web"), input: AsyncStream { _ in },
                    output: { output.add($0) }, errorOutput: { _ in })
            }
            try await server.eventually { output.text == "waiting\n" }
            let answer = try await server.ask("GET", "/1.0/operations")
            guard case .array(let running)? = answer.json["metadata"]?["running"],
                let id = running.first?["id"]?.text
            else {
                Issue.record("no running operation in \(answer.json)")
                return
            }
            leaving.cancel()
            _ = await leaving.result
            let ended = try await server.client.wait(id)
            #expect(ended.statusCode == 401)
        }
    }

    @Test func `an exec is cancelled as an operation`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let answer = try await server.ask(
                "POST", "/1.0/instances/web/exec", #"{"command": ["wait"]}"#)
            #expect(answer.json["metadata"]?["class"] == .string("websocket"))
            let id = try #require(answer.json["metadata"]?["id"]?.text)
            try await server.client.cancelOperation(id)
            #expect(try await server.client.wait(id).statusCode == 401)
        }
    }

    @Test func `events tell of operations, lives and migrations`() async throws {
        try await RunningServer.with { server in
            try server.host.add("quick")
            let seen = Mutex<[Event]>([])
            let listening = Task {
                try await server.client.events { event in seen.withLock { $0.append(event) } }
            }
            try await server.eventually { server.events.subscriberCount == 1 }
            let request = MoveRequest(
                name: try InstanceName("quick"), remote: try RemoteName("host-b"))
            let begun = try await server.client.beginMove(request)
            _ = try await server.client.wait(begun.id)
            try await server.eventually {
                seen.withLock { $0.contains { $0.metadata["status_code"] == .integer(200) } }
            }
            let events = seen.withLock { $0 }
            let first = try #require(events.first)
            #expect(first.type == .operation)
            #expect(first.metadata["id"] == .string(begun.id))
            let lives = events.filter { $0.type == .lifecycle }
            #expect(lives.map { $0.metadata["action"] } == [.string("instance-migrated")])
            let progress = try #require(events.first { $0.type == .migration })
            #expect(progress.metadata["step"] == .string("send volume root"))
            listening.cancel()
            _ = await listening.result
            try await server.eventually { server.events.subscriberCount == 0 }
        }
    }

    @Test func `only the kinds that were asked for are told`() async throws {
        try await RunningServer.with { server in
            let seen = Mutex<[Event]>([])
            let listening = Task {
                try await server.client.events([.lifecycle]) { event in
                    seen.withLock { $0.append(event) }
                }
            }
            try await server.eventually { server.events.subscriberCount == 1 }
            server.events.publish(Event(.operation, .null))
            server.events.publishLifecycle("instance-started", try InstanceName("web"))
            try await server.eventually { seen.withLock { !$0.isEmpty } }
            #expect(seen.withLock { $0.map(\.type) } == [.lifecycle])
            listening.cancel()
        }
    }

    @Test func `a reader that is too slow loses its subscription`() async throws {
        let hub = EventHub()
        let stream = hub.subscribe(to: [.lifecycle])
        for number in 0...Limit.eventsQueued {
            hub.publish(Event(.lifecycle, .integer(Int64(number))))
        }
        #expect(hub.subscriberCount == 0)
        var count = 0
        for await _ in stream { count += 1 }
        #expect(count == Limit.eventsQueued)
    }

    @Test func `a cancelled reader finishes the queue`() async throws {
        let queue = ByteQueue(capacity: 1)
        let reading = Task { await queue.next() }
        reading.cancel()
        #expect(await reading.value == nil)
        await queue.send([1])
        #expect(await queue.next() == nil)
    }

    @Test func `chunks keep their order and a full queue waits`() async throws {
        let queue = ByteQueue(capacity: 2)
        let writing = Task {
            for number in 0..<100 { await queue.send([UInt8(number)]) }
            queue.finish()
        }
        var seen: [UInt8] = []
        while let chunk = await queue.next() { seen += chunk }
        #expect(seen == Array(0..<100))
        await writing.value
        await queue.send([1])
        #expect(await queue.next() == nil)
    }
}
