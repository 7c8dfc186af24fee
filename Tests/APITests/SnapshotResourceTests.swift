import API
import MigrationCore
import Synchronization
import Testing

/// `/1.0/instances/NAME/snapshots`, the way back, and copies.
@Suite struct SnapshotResourceTests {
    private func withInstance(
        _ body: @escaping @Sendable (RunningServer, InstanceName) async throws -> Void
    ) async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            try await body(server, InstanceName("web"))
        }
    }

    @Test func `snapshots are made, listed, restored and deleted`() async throws {
        try await withInstance { server, web in
            let client = server.client
            let first = try await client.createSnapshot(SnapshotRequest(instance: web))
            #expect(first.name.text == "snap0" && first.pauseMilliseconds == 12.5)
            let expires = Timestamp(milliseconds: 1_900_000_000_123)
            let mine = SnapshotRequest(
                instance: web, name: try SnapshotName("mine"), expires: expires)
            #expect(try await client.createSnapshot(mine).expires == expires)
            let known = try await client.snapshots(of: web)
            #expect(known.map(\.snapshot.name.text) == ["snap0", "mine"])
            #expect(known == server.host.state.withLock { $0.snapshots["web"] })
            let shown = try await client.snapshot(first.name, of: web)
            #expect(shown.snapshot == first)
            try await client.restoreSnapshot(first.name, of: web)
            try await client.restoreSnapshot(first.name, of: web, isStateless: true)
            #expect(server.host.state.withLock(\.restored) == ["web/snap0", "web/snap0 stateless"])
            try await client.deleteSnapshot(first.name, of: web)
            #expect(try await client.snapshots(of: web).count == 1)
            let calls = [
                { _ = try await client.snapshot(first.name, of: web) },
                { try await client.restoreSnapshot(first.name, of: web) },
                { try await client.deleteSnapshot(first.name, of: web) },
            ]
            for call in calls { #expect(await code(call) == .notFound) }
        }
    }

    @Test func `a snapshot has the keys of Incus and ours beside them`() async throws {
        try await withInstance { server, web in
            _ = try await server.client.createSnapshot(SnapshotRequest(instance: web))
            let (_, json) = try await server.ask("GET", "/1.0/instances/web/snapshots/snap0")
            guard case .object(let members)? = json["metadata"] else {
                Issue.record("no snapshot")
                return
            }
            #expect(
                Set(members.keys) == [
                    "architecture", "config", "created_at", "devices", "ephemeral",
                    "expanded_config", "expanded_devices", "expires_at", "last_used_at", "name",
                    "profiles", "stateful", "size", "godwit",
                ])
            #expect(members["expires_at"] == .string("0001-01-01T00:00:00Z"))
            #expect(members["stateful"] == .bool(false))
        }
    }

    @Test func `an expiry is changed and taken back`() async throws {
        try await withInstance { server, web in
            let made = try await server.client.createSnapshot(SnapshotRequest(instance: web))
            for expires in [Timestamp(milliseconds: 1_900_000_000_123), nil] {
                try await server.client.setExpiry(expires, of: made.name, of: web)
                let shown = try await server.client.snapshot(made.name, of: web)
                #expect(shown.snapshot.expires == expires)
            }
            let none = try SnapshotName("none")
            let missing = await code {
                try await server.client.setExpiry(nil, of: none, of: web)
            }
            #expect(missing == .notFound)
            let wrong = #"{"expires_at": "soon"}"#
            let place = "/1.0/instances/web/snapshots/\(made.name)"
            #expect(try await server.ask("PUT", place, wrong).status == 400)
        }
    }

    @Test func `a schedule is set, shown and taken back`() async throws {
        try await withInstance { server, web in
            let schedule = SnapshotSchedule(
                times: try CronTimes("30 3 * * 1-5"), keptSeconds: 3_600, isStateful: true)
            try await server.client.setSchedule(schedule, of: web)
            let view = try await server.client.instance(web)
            #expect(view.definition.snapshotSchedule == schedule)
            let (_, json) = try await server.ask("GET", "/1.0/instances/web")
            let config = json["metadata"]?["config"]
            #expect(config?["snapshots.schedule"]?.text == "30 3 * * 1-5")
            #expect(config?["snapshots.expiry"]?.text == "3600S")
            try await server.client.setSchedule(nil, of: web)
            #expect(try await server.client.instance(web).definition.snapshotSchedule == nil)
            for body in [
                "{}", #"{"snapshots": {"times": "daily"}}"#,
                #"{"snapshots": {"times": "@daily", "kept": -1}}"#,
                #"{"snapshots": {"times": "@daily", "kept": 0}}"#,
                #"{"snapshots": {"times": "@daily", "kept": 4000000000}}"#,
            ] {
                #expect(try await server.ask("PATCH", "/1.0/instances/web", body).status == 400)
            }
        }
    }

    @Test(arguments: [
        #"{"stateful": 1}"#, #"{"name": "../x"}"#, #"{"name": ""}"#,
        #"{"expires_at": "tomorrow"}"#, #"{"expires_at": "1969-12-31T23:59:59Z"}"#,
        #"{"expires_at": 7}"#,
    ])
    func `a snapshot that cannot be is refused`(body: String) async throws {
        try await withInstance { server, _ in
            let answer = try await server.ask("POST", "/1.0/instances/web/snapshots", body)
            #expect(answer.status == 400, "\(answer.json)")
        }
    }

    @Test(
        arguments: [
            (#"{"expires_at": ""}"#, nil),
            (#"{"expires_at": "2030-01-02T03:04:05Z"}"#, 1_893_553_445_000),
            (#"{"stateful": false, "expires_at": "2030-01-02T03:04:05.678Z"}"#, 1_893_553_445_678),
        ] as [(String, Int64?)])
    func `a moment is read as RFC 3339 has it`(body: String, expires: Int64?) async throws {
        try await withInstance { server, web in
            let answer = try await server.ask("POST", "/1.0/instances/web/snapshots", body)
            let id = try #require(answer.json["metadata"]?["id"]?.text)
            #expect(try await server.client.wait(id).error == nil)
            let made = try await server.client.snapshots(of: web).first
            #expect(made?.snapshot.expires?.milliseconds == expires)
        }
    }

    @Test func `a restore names a snapshot`() async throws {
        try await withInstance { server, _ in
            for body in ["{}", #"{"restore": "../x"}"#, #"{"restore": "s", "stateful": 1}"#] {
                let answer = try await server.ask("PUT", "/1.0/instances/web", body)
                #expect(answer.status == 400, "\(answer.json)")
            }
        }
    }

    @Test func `a copy carries what becomes of addresses`() async throws {
        try await withInstance { server, _ in
            let trial = try InstanceName("trial")
            let requests = [
                CopyRequest(source: try SnapshotPath("web"), newName: trial),
                CopyRequest(
                    source: try SnapshotPath("web/snap0"), newName: trial,
                    addresses: ["10.0.0.9/24"]),
                CopyRequest(source: try SnapshotPath("web"), newName: trial, addresses: []),
                CopyRequest(source: try SnapshotPath("web"), newName: trial, keepsAddresses: true),
            ]
            for request in requests { try await server.client.copy(request) }
            #expect(server.host.state.withLock(\.copies) == requests)
            let wrong = #"{"name": "trial", "source": {"type": "copy", "source": "web/../x"}}"#
            #expect(try await server.ask("POST", "/1.0/instances", wrong).status == 400)
            let other = #"{"name": "trial", "source": {"type": "image", "source": "web"}}"#
            #expect(try await server.ask("POST", "/1.0/instances", other).status == 400)
        }
    }
}
