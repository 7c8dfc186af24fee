import API
import MigrationCore
import Synchronization
import Testing

/// Moves as operations: waiting, progress, cancelling.
@Suite struct OperationTests {
    private static func request(_ name: String) throws -> MoveRequest {
        MoveRequest(
            name: try InstanceName(name), remote: try RemoteName("host-b"), mode: .live,
            tcp: .close,
            newName: try InstanceName("there"), bandwidth: .mebibytes(100), isPaused: true,
            keepsDefinition: true, timeoutSeconds: 60)
    }

    @Test func `a move is followed to its report`() async throws {
        try await RunningServer.with { server in
            try server.host.add("quick")
            let request = try Self.request("quick")
            let operation = try await server.client.beginMove(request)
            #expect(operation.description == "Migrating instance")
            let report = try await server.client.followMove(operation) { _ in }
            #expect(report.status == .succeeded)
            #expect(report.peer == "host-b")
            #expect(server.host.state.withLock(\.moves) == [request])
            let ended = try await server.client.operation(operation.id)
            #expect(ended.resources["migrations"] == ["/1.0/migrations/\(report.id)"])
            #expect(ended.statusCode == 200)
            #expect(!ended.mayCancel)
        }
    }

    @Test func `a move in JSON needs only its target`() async throws {
        try await RunningServer.with { server in
            try server.host.add("quick")
            let body = #"{"migration": true, "target": "host-b"}"#
            let answer = try await server.ask("POST", "/1.0/instances/quick", body)
            #expect(answer.status == 202)
            let id = try #require(answer.json["metadata"]?["id"]?.text)
            _ = try await server.client.wait(id)
            let plain = MoveRequest(
                name: try InstanceName("quick"), remote: try RemoteName("host-b"),
                keepSeconds: Limit.usualKeptSeconds)
            #expect(server.host.state.withLock(\.moves) == [plain])
            for body in ["{}", #"{"migration": true}"#] {
                let wrong = try await server.ask("POST", "/1.0/instances/quick", body)
                #expect(wrong.status == 400)
            }
        }
    }

    @Test func `the plan of a move is told without moving`() async throws {
        try await RunningServer.with { server in
            let request = try Self.request("web")
            let preview = try await server.client.planMove(request)
            #expect(preview == (try Sample.preview(of: request)))
            #expect(server.host.state.withLock(\.moves).isEmpty)
        }
    }

    @Test func `a running move shows its progress and waits with a limit`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let begun = try await server.client.beginMove(Self.request("web"))
            try await server.eventually {
                try await server.client.operation(begun.id).metadata["progress"] != nil
            }
            let waited = try await server.client.wait(begun.id, seconds: 0.05)
            #expect(!waited.isOver)
            #expect(waited.mayCancel)
            let id = try #require(waited.migrationID)
            let view = try await server.client.migration(id)
            #expect(view.progress == Sample.progress(id))
            #expect(view.report.status == .running)
            server.host.finishMove(id)
            let ended = try await server.client.wait(begun.id)
            #expect(ended.isOver)
            #expect(try await server.client.migration(id).progress == nil)
            let kept = try await server.client.migrations(of: InstanceName("web"))
            #expect(kept.map(\.id) == [id])
            #expect(try await server.client.migrations(of: InstanceName("other")).isEmpty)
        }
    }

    /// A move of `web` that has its id.
    private func beginMove(
        _ server: RunningServer
    ) async throws -> (operation: OperationView, id: MigrationID) {
        let begun = try await server.client.beginMove(Self.request("web"))
        try await server.eventually {
            try await server.client.operation(begun.id).migrationID != nil
        }
        return (begun, try #require(try await server.client.operation(begun.id).migrationID))
    }

    @Test(arguments: [true, false])
    func `a cancelled move ends as cancelled`(byOperation: Bool) async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let (begun, id) = try await beginMove(server)
            if byOperation {
                try await server.client.cancelOperation(begun.id)
            } else {
                try await server.client.cancelMigration(id)
            }
            let ended = try await server.client.wait(begun.id)
            #expect(ended.statusCode == 401)
            #expect(ended.error?.code == .cancelled)
            #expect(ended.error?.remedy == "\"web\" runs here")
            let late = await code { try await server.client.cancelOperation(begun.id) }
            #expect(late == .busy)
        }
    }

    @Test(arguments: [UInt64?.some(1_048_576), nil])
    func `the bandwidth of a move is changed while it runs`(bytes: UInt64?) async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let (_, id) = try await beginMove(server)
            try await server.client.setBandwidth(bytes.map { ByteCount(bytes: $0) }, of: id)
            #expect(server.host.state.withLock(\.bandwidths) == ["\(id) \(bytes ?? 0)"])
            let other = try MigrationID(String(repeating: "ab", count: 16))
            let unknown = await code { try await server.client.setBandwidth(nil, of: other) }
            #expect(unknown == .notFound)
            server.host.finishMove(id)
        }
    }

    @Test func `a cancel that comes too late is refused and the move goes on`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            server.host.state.withLock { $0.refusesCancel = true }
            let begun = try await server.client.beginMove(Self.request("web"))
            try await server.eventually {
                try await server.client.operation(begun.id).migrationID != nil
            }
            let refusal = await code { try await server.client.cancelOperation(begun.id) }
            #expect(refusal == .busy)
            let view = try await server.client.operation(begun.id)
            #expect(!view.isOver)
            server.host.finishMove(try #require(view.migrationID))
            #expect(try await server.client.wait(begun.id).error == nil)
        }
    }

    @Test func `a failed operation keeps the whole error`() async throws {
        try await RunningServer.with { server in
            let begun = try await server.client.beginMove(Self.request("gone"))
            let ended = try await server.client.wait(begun.id)
            #expect(ended.statusCode == 400)
            #expect(ended.error?.code == .notFound)
            #expect(ended.error?.remedy == "see `godwit list`")
            let listed = try await server.ask("GET", "/1.0/operations")
            guard case .array(let failures)? = listed.json["metadata"]?["failure"] else {
                Issue.record("no failures in \(listed.json)")
                return
            }
            #expect(failures.count == 1)
        }
    }

    @Test(arguments: ["-2", "x", "86401", "nan"])
    func `a timeout that is none is refused`(text: String) async throws {
        try await RunningServer.with { server in
            try server.host.add("quick")
            let begun = try await server.client.beginMove(Self.request("quick"))
            let answer = try await server.ask(
                "GET", "/1.0/operations/\(begun.id)/wait?timeout=\(text)")
            #expect(answer.status == 400)
        }
    }

    @Test func `a graceful stop cancels moves, answers who waits, and ends`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let begun = try await server.client.beginMove(Self.request("web"))
            try await server.eventually {
                try await server.client.operation(begun.id).migrationID != nil
            }
            async let waiting = server.client.wait(begun.id)
            try await server.eventually { server.host.state.withLock { !$0.moves.isEmpty } }
            await server.stop()
            // Either the answer of the cancelled move, or the door was closed before the request.
            let ended = try? await waiting
            #expect(ended == nil || ended?.statusCode == 401)
        }
    }

    @Test(arguments: 0..<20)
    func `a move that begins while the daemon stops is cancelled too`(_: Int) async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let request = try Self.request("web")
            for _ in 0..<3 { _ = try await server.client.beginMove(request) }
            // The stop comes at once, whether they have their ids or not; it must come to an end.
            await server.stop()
        }
    }

    @Test func `no more operations are kept than the limit, the oldest ended go first`()
        async throws
    {
        try await RunningServer.with { server in
            try server.host.add("quick")
            try server.host.add("web")
            let client = server.client
            let first = try await client.beginMove(Self.request("quick"))
            _ = try await client.wait(first.id)
            let waiting = try Self.request("web")
            for _ in 1..<Limit.operationsKept { _ = try await client.beginMove(waiting) }
            #expect(try await client.operation(first.id).isOver)
            let last = try await client.beginMove(waiting)
            #expect(await code { _ = try await client.operation(first.id) } == .notFound)
            #expect(try await client.operation(last.id).isOver == false)
            #expect(await code { _ = try await client.beginMove(waiting) } == .busy)
        }
    }
}
