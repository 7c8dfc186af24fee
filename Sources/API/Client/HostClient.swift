import Foundation
package import MigrationCore
import NIOHTTP1

/// Asks a daemon on its Unix socket; the command line uses nothing else.
///
/// Every method throws the `GodwitError` that the daemon answered, or `daemonUnreachable`.
package struct HostClient: Sendable {
    private let transport: HTTPTransport
    private let webSockets: WebSocketClient

    package init(socketPath: String) {
        transport = HTTPTransport(socketPath: socketPath)
        webSockets = WebSocketClient(socketPath: socketPath)
    }

    package func information() async throws -> HostInformation {
        try await get(ServerShape.self, "/1.0").godwit
    }

    package func check() async throws -> HostCheck { try await get(HostCheck.self, "/1.0/check") }

    package func instances() async throws -> [InstanceView] {
        try await get([InstanceShape].self, "/1.0/instances").map(\.godwit)
    }

    package func instance(_ name: InstanceName) async throws -> InstanceView {
        try await get(InstanceShape.self, "/1.0/instances/\(name)").godwit
    }

    package func launch(_ request: LaunchRequest) async throws {
        try await perform(.POST, "/1.0/instances", InstancesPost(request))
    }

    package func start(_ name: InstanceName, _ use: StateUse = .ifKept) async throws {
        let stateful: Bool? =
            switch use {
            case .ifKept: nil
            case .always: true
            case .never: false
            }
        try await setState(name, StatePut(action: .start, stateful: stateful))
    }

    /// - Parameter grace: whole seconds; nil is the daemon's default.
    package func stop(_ name: InstanceName, force: Bool, grace: Int?) async throws {
        try await setState(name, StatePut(action: .stop, force: force, timeout: grace))
    }

    package func stopStateful(_ name: InstanceName) async throws {
        try await setState(name, StatePut(action: .stop, stateful: true))
    }

    package func restart(_ name: InstanceName, force: Bool, grace: Int?) async throws {
        try await setState(name, StatePut(action: .restart, force: force, timeout: grace))
    }

    package func freeze(_ name: InstanceName) async throws {
        try await setState(name, StatePut(action: .freeze))
    }

    package func unfreeze(_ name: InstanceName) async throws {
        try await setState(name, StatePut(action: .unfreeze))
    }

    package func delete(_ name: InstanceName, force: Bool) async throws {
        let query = force ? "?force=1" : ""
        try await perform(.DELETE, "/1.0/instances/\(name)" + query, Nothing())
    }

    package func rename(_ name: InstanceName, to newName: InstanceName) async throws {
        try await perform(.POST, "/1.0/instances/\(name)", InstancePost(name: newName))
    }

    package func log(_ name: InstanceName) async throws -> [UInt8] {
        try await answer(.GET, "/1.0/instances/\(name)/logs/console.log").body
    }

    package func planMove(_ request: MoveRequest) async throws -> MovePreview {
        let path = "/1.0/instances/\(request.name)/move-plan"
        return try await send(.POST, path, InstancePost(request))
    }

    package func migrations(of name: InstanceName?) async throws -> [MigrationReport] {
        let query = name.map { "?instance=\($0)" } ?? ""
        return try await get([MigrationReport].self, "/1.0/migrations\(query)")
    }

    package func migration(_ id: MigrationID) async throws -> MigrationView {
        try await get(MigrationView.self, "/1.0/migrations/\(id)")
    }

    package func cancelMigration(_ id: MigrationID) async throws {
        _ = try await answer(.DELETE, "/1.0/migrations/\(id)")
    }

    package func setBandwidth(_ bandwidth: ByteCount?, of id: MigrationID) async throws {
        let put = BandwidthPut(bandwidth: bandwidth)
        let _: Nothing = try await send(.PUT, "/1.0/migrations/\(id)/bandwidth", put)
    }

    package func resolve(_ name: InstanceName, _ resolution: Resolution) async throws {
        let path = "/1.0/instances/\(name)/resolve"
        let _: Nothing = try await send(.POST, path, ResolvePost(resolution: resolution))
    }

    package func forwards() async throws -> [Forward] {
        try await get([Forward].self, "/1.0/forwards")
    }

    package func endForward(_ name: InstanceName) async throws {
        _ = try await answer(.DELETE, "/1.0/forwards/\(name)")
    }

    package func remotes() async throws -> [RemoteView] {
        try await get([RemoteView].self, "/1.0/remotes")
    }

    package func addRemote(_ name: RemoteName, token: String) async throws {
        let post = RemotesPost(name: name, token: token)
        let _: Nothing = try await send(.POST, "/1.0/remotes", post)
    }

    package func removeRemote(_ name: RemoteName) async throws {
        _ = try await answer(.DELETE, "/1.0/remotes/\(name)")
    }

    package func trusted() async throws -> [PeerIdentity] {
        try await get([PeerIdentity].self, "/1.0/trust")
    }

    package func addTrust(_ name: RemoteName) async throws -> String {
        let answer: TrustToken = try await send(.POST, "/1.0/trust", TrustPost(name: name))
        return answer.token
    }

    package func removeTrust(_ name: RemoteName) async throws {
        _ = try await answer(.DELETE, "/1.0/trust/\(name)")
    }

    /// The daemon's events until the connection or the caller's task ends.
    package func events(
        _ kinds: [Event.Kind] = Event.Kind.allCases,
        _ body: @escaping @Sendable (Event) async throws -> Void
    ) async throws {
        let types = kinds.map(\.rawValue).joined(separator: ",")
        try await webSockets.converse("/1.0/events?type=\(types)") { reader, _ in
            for try await case .text(let text) in reader {
                try await body(JSON.decode(Event.self, from: Array(text.utf8)))
            }
        }
    }
}

// MARK: Operations

extension HostClient {
    package func operation(_ id: String) async throws -> OperationView {
        try await get(OperationView.self, "/1.0/operations/\(id)")
    }

    /// The operation when it is over, or after `seconds` (nil: whenever that is).
    package func wait(_ id: String, seconds: Double? = nil) async throws -> OperationView {
        let query = seconds.map { "?timeout=\($0)" } ?? ""
        return try await get(OperationView.self, "/1.0/operations/\(id)/wait\(query)")
    }

    /// - Throws: `busy` if it is over or too late.
    package func cancelOperation(_ id: String) async throws {
        _ = try await answer(.DELETE, "/1.0/operations/\(id)")
    }

    /// Begins an operation without waiting for it.
    func begin(
        _ method: HTTPMethod, _ path: String, _ body: some Encodable & Sendable
    ) async throws -> OperationView {
        try await send(method, path, body)
    }

    /// Begins an operation and returns it when it has succeeded.
    @discardableResult
    func perform(
        _ method: HTTPMethod, _ path: String, _ body: some Encodable & Sendable
    ) async throws -> OperationView {
        let ended = try await wait(begin(method, path, body).id)
        if let error = ended.error { throw error }
        return ended
    }

    private func setState(_ name: InstanceName, _ put: StatePut) async throws {
        try await perform(.PUT, "/1.0/instances/\(name)/state", put)
    }
}

// MARK: Moving

extension HostClient {
    /// Begins a move; `followMove` tells how it goes.
    package func beginMove(_ request: MoveRequest) async throws -> OperationView {
        try await begin(.POST, "/1.0/instances/\(request.name)", InstancePost(request))
    }

    /// Returns the report when the instance has moved.
    ///
    /// - Parameter progress: called about three times a second while it runs.
    package func followMove(
        _ operation: OperationView,
        progress: @Sendable (MigrationProgress) async -> Void
    ) async throws -> MigrationReport {
        var view = operation
        while !view.isOver {
            view = try await wait(view.id, seconds: 0.3)
            let current = try view.metadata["progress"]?.decoded(as: MigrationProgress.self)
            if let current { await progress(current) }
        }
        if let error = view.error { throw error }
        guard let report = view.metadata["report"] else {
            throw GodwitError(.protocolViolation, "the daemon's answer to the move has no report")
        }
        return try report.decoded()
    }
}

extension OperationView {
    /// Of a move, once it has one.
    package var migrationID: MigrationID? {
        metadata["migration"]?.text.flatMap { try? MigrationID($0) }
    }
}

// MARK: Exec

extension HostClient {
    /// Runs a command inside; returns its exit status.
    ///
    /// - Parameter input: the command's standard input; it ends with the sequence.
    package func execute(
        _ command: [String],
        environment: [String: String] = [:],
        workingDirectory: String? = nil,
        userID: UInt32? = nil,
        groupID: UInt32? = nil,
        in name: InstanceName,
        input: AsyncStream<[UInt8]>,
        output: @escaping @Sendable ([UInt8]) async throws -> Void,
        errorOutput: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws -> Int32 {
        let post = ExecPost(
            command: command, environment: environment, cwd: workingDirectory, user: userID,
            group: groupID)
        let operation = try await begin(.POST, "/1.0/instances/\(name)/exec", post)
        let paths = try streamPaths(operation)
        try await withThrowingTaskGroup { group in
            group.addTask {
                // The command may end before its input does.
                try await feed(paths[0], input)
                return Stream.input
            }
            group.addTask {
                try await receive(paths[1], output)
                return Stream.output
            }
            group.addTask {
                try await receive(paths[2], errorOutput)
                return Stream.output
            }
            var outputs = 0
            while outputs < 2, let stream = try await group.next() {
                outputs += stream == .output ? 1 : 0
            }
            group.cancelAll()
        }
        let ended = try await wait(operation.id)
        if let error = ended.error { throw error }
        guard let status = ended.metadata["return"]?.whole, let status = Int32(exactly: status)
        else {
            throw GodwitError(.protocolViolation, "the daemon's answer has no exit status")
        }
        return status
    }

    private func streamPaths(_ operation: OperationView) throws -> [String] {
        try ["0", "1", "2"].map { channel in
            guard let secret = operation.metadata["fds"]?[channel]?.text else {
                throw GodwitError(
                    .protocolViolation, "the daemon's answer has no secret for \(channel)")
            }
            return "\(operation.path)/websocket?secret=\(secret)"
        }
    }

    private enum Stream { case input, output }

    private func feed(_ path: String, _ input: AsyncStream<[UInt8]>) async throws {
        try await webSockets.converse(path) { reader, writer in
            await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    for await bytes in input { try? await writer.send(bytes: bytes) }
                    try? await writer.send(text: "")
                    return false
                }
                group.addTask {
                    do { for try await _ in reader {} } catch {}
                    return true
                }
                let isOver = await group.next() ?? true
                if isOver { group.cancelAll() }
            }
        }
    }

    private func receive(
        _ path: String, _ body: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        try await webSockets.converse(path) { reader, _ in
            for try await case .binary(let bytes) in reader { try await body(bytes) }
        }
    }
}

// MARK: Requests

extension HostClient {
    /// One request as it is; the answer's HTTP status and body, whatever they are.
    package func query(
        _ method: String, _ path: String, _ body: [UInt8]? = nil
    ) async throws -> (status: Int, body: [UInt8]) {
        let answer = try await transport.ask(HTTPMethod(rawValue: method), path, body: body)
        return (answer.status, answer.body)
    }

    func get<Value: Codable & Sendable>(
        _ type: Value.Type, _ path: String
    ) async throws -> Value {
        try decoded(await answer(.GET, path).body)
    }

    func send<Value: Codable & Sendable>(
        _ method: HTTPMethod, _ path: String, _ body: some Encodable
    ) async throws -> Value {
        try decoded(await answer(method, path, JSON.encode(body)).body)
    }

    func answer(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]? = nil
    ) async throws -> HTTPTransport.Answer {
        let answer = try await transport.ask(method, path, body: body)
        guard answer.status >= 400 else { return answer }
        if let failure = try? JSON.decode(Envelope<GodwitError>.self, from: answer.body) {
            throw failure.metadata
        }
        throw GodwitError(
            .protocolViolation, "the daemon answered with HTTP status \(answer.status)",
            remedy: "use the same version of godwit on both ends")
    }

    private func decoded<Value: Codable & Sendable>(_ body: [UInt8]) throws -> Value {
        do {
            return try JSON.decode(Envelope<Value>.self, from: body).metadata
        } catch {
            throw GodwitError(
                .protocolViolation, "the daemon's answer has another shape than this client knows",
                remedy: "use the same version of godwit on both ends", cause: "\(error)")
        }
    }
}
