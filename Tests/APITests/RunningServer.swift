import API
import Foundation
import Logging
import MigrationCore
import ServiceLifecycle
import Testing

/// A real server on a real Unix socket, over a host in memory, for the duration of a test.
struct RunningServer: Sendable {
    let host: FakeHost
    let client: HostClient
    let events: EventHub
    let socketPath: String
    let port: Int?
    let stop: @Sendable () async -> Void

    /// - Parameter remote: the TLS listener, if the test needs one.
    static func with(
        remote: RemoteListener? = nil,
        _ body: @escaping @Sendable (RunningServer) async throws -> Void
    ) async throws {
        let host = FakeHost()
        let events = EventHub()
        let path = "/tmp/gwapi-\(UInt32.random(in: 0 ... .max))"
        let ready = AsyncStream.makeStream(of: Int?.self)
        let logger = Logger(label: "api-tests") { _ in SwiftLogNoOpLogHandler() }
        let server = APIServer(
            control: host, events: events, socketPath: path, remote: remote, logger: logger,
            onReady: { ready.continuation.yield($0) })
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: server)], logger: logger))
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                var iterator = ready.stream.makeAsyncIterator()
                let port = try #require(await iterator.next())
                let running = RunningServer(
                    host: host, client: HostClient(socketPath: path), events: events,
                    socketPath: path, port: port, stop: { await group.triggerGracefulShutdown() })
                defer { Task { await group.triggerGracefulShutdown() } }
                try await body(running)
            }
            try await tasks.waitForAll()
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    /// One HTTP request, as bytes; the status and the JSON of the answer.
    func ask(_ method: String, _ path: String, _ body: String? = nil) async throws -> (
        status: Int, json: JSONValue
    ) {
        let answer = try await client.query(method, path, body.map { Array($0.utf8) })
        return (answer.status, try JSONDecoder().decode(JSONValue.self, from: Data(answer.body)))
    }

    /// Waits until `condition` holds.
    func eventually(_ condition: @Sendable () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("the condition did not come true within 20 s")
    }
}

/// The code of the error that `body` throws.
func code(_ body: () async throws -> Void) async -> GodwitError.Code? {
    do {
        try await body()
        return nil
    } catch let error as GodwitError {
        return error.code
    } catch {
        return .internalFault
    }
}
