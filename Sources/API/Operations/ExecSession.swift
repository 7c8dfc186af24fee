import Foundation
import MigrationCore

/// The websockets of one `exec`: standard input, output and error output, each claimed once by its
/// secret.
///
///     client                                         daemon
///       | POST /1.0/instances/NAME/exec                |
///       |--------------------------------------------->|
///       |          operation with a secret for "0" "1" "2" "control"
///       |<---------------------------------------------|
///       | websocket /1.0/operations/ID/websocket?secret=...  (three times)
///       |--------------------------------------------->|  the command starts
///       | "0": bytes; an empty text or a close ends it |
///       |--------------------------------------------->|
///       |                     "1" and "2": bytes, then a close
///       |<---------------------------------------------|
///       | GET /1.0/operations/ID/wait -> metadata.return
///
/// A client that closes "1" or "2" early has gone: the command ends.
actor ExecSession {
    enum Channel: String, CaseIterable { case input = "0", output = "1", error = "2", control }

    /// How long a client may take to answer the end of a stream.
    private static let patience = Duration.seconds(2)

    nonisolated let secrets: [String: String]
    private let input = ByteQueue(capacity: 16)
    private var writers: [Channel: WebSocketWriter] = [:]
    private var claimed: Set<Channel> = []
    private var isOver = false
    private nonisolated let ready: AsyncStream<Void>
    private let readySignal: AsyncStream<Void>.Continuation
    private nonisolated let lost: AsyncStream<Void>
    private let lostSignal: AsyncStream<Void>.Continuation
    private var overSignals: [AsyncStream<Void>.Continuation] = []

    init() {
        secrets = Dictionary(
            uniqueKeysWithValues: Channel.allCases.map { ($0.rawValue, makeSecret()) })
        (ready, readySignal) = AsyncStream.makeStream(of: Void.self)
        (lost, lostSignal) = AsyncStream.makeStream(of: Void.self)
    }

    /// Which channel the secret opens; each opens once.
    func claim(_ secret: String) throws -> Channel {
        let channel = Channel.allCases.first { secrets[$0.rawValue] == secret }
        guard let channel, claimed.insert(channel).inserted, !isOver else {
            throw GodwitError(
                .notPermitted, "the secret opens no channel of this operation (any more)",
                remedy: "start another exec and use each of its secrets once")
        }
        return channel
    }

    /// Carries one channel until the command or the connection is over.
    func serve(_ channel: Channel, _ socket: WebSocketReader, _ writer: WebSocketWriter) async {
        writers[channel] = writer
        if writers[.input] != nil, writers[.output] != nil, writers[.error] != nil {
            readySignal.finish()
        }
        let over = overSequence()
        await withTaskGroup { group in
            group.addTask { await self.read(channel, socket) }
            group.addTask {
                for await _ in over {}
                // NIO drops what has come with the answer to a client's upgrade if the connection
                // ends before the client's handlers are in place: the client ends it.
                try? await writer.close()
                try? await Task.sleep(for: Self.patience)
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Runs the command once all three streams are connected; returns its exit status.
    func run(
        _ post: ExecPost, in name: InstanceName, on control: any HostControl
    ) async throws -> Int32 {
        do {
            let status = try await race(post, in: name, on: control)
            end()
            if let status { return status }
        } catch {
            end()
            throw error
        }
        throw GodwitError(.cancelled, "the client closed the command's output")
    }

    /// The command's status; nil if the client went first.
    private func race(
        _ post: ExecPost, in name: InstanceName, on control: any HostControl
    ) async throws -> Int32? {
        try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask {
                try await self.waitUntilConnected()
                return try await control.execute(self.request(post), in: name)
            }
            group.addTask {
                for await _ in self.lost {}
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    private func waitUntilConnected() async throws {
        let isConnected = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in self.ready {}
                return true
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(10))
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
        try Task.checkCancellation()
        guard isConnected else {
            throw GodwitError(
                .timedOut, "the client did not connect the command's streams within 10 s",
                remedy: "open websockets for \"0\", \"1\" and \"2\"")
        }
    }

    private func request(_ post: ExecPost) -> ExecuteRequest {
        let input = input
        let output = writers[.output]
        let errors = writers[.error]
        let environment = (post.environment ?? [:]).map { "\($0.key)=\($0.value)" }.sorted()
        return ExecuteRequest(
            command: post.command, environment: environment, workingDirectory: post.cwd ?? "/",
            userID: post.user ?? 0, groupID: post.group ?? 0,
            input: AsyncStream(unfolding: { await input.next() }),
            output: { try await output?.send(bytes: $0) },
            errorOutput: { try await errors?.send(bytes: $0) })
    }

    private func read(_ channel: Channel, _ socket: WebSocketReader) async {
        do {
            for try await message in socket {
                guard channel == .input else { continue }
                if case .text("") = message { input.finish() }
                if case .binary(let bytes) = message { await input.send(bytes) }
            }
        } catch {
            // A broken connection is a closed one.
        }
        switch channel {
        case .input: input.finish()
        case .output, .error: lostSignal.finish()
        case .control: break
        }
    }

    private func overSequence() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        if isOver { continuation.finish() } else { overSignals.append(continuation) }
        return stream
    }

    private func end() {
        isOver = true
        for signal in overSignals { signal.finish() }
        overSignals = []
        input.finish()
    }
}

/// 32 random bytes in hexadecimal.
private func makeSecret() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<4).map { _ in String(generator.next(), radix: 16) }
        .map { String(repeating: "0", count: 16 - $0.count) + $0 }.joined()
}
