import API
import MigrationCore
import Synchronization
import Testing

/// `/1.0/storage-pools/POOL/volumes/custom`, and mounts in launches and moves.
@Suite struct VolumeResourceTests {
    @Test func `volumes are made, listed, attached, detached and deleted`() async throws {
        try await RunningServer.with { server in
            let client = server.client
            let (data, fast) = (try VolumeReference("data"), try VolumeReference("fast/data"))
            try await client.createVolume(data)
            try await client.createVolume(fast)
            #expect(try await client.volumes().map(\.volume) == [data, fast])
            #expect(try await client.volumes(in: "fast").map(\.volume) == [fast])
            let use = VolumeUse(
                instance: try InstanceName("web"), path: "/srv/d", isReadOnly: true)
            try await client.attachVolume(fast, use)
            #expect(try await client.volume(fast).uses == [use])
            #expect(await code { try await client.deleteVolume(fast) } == .busy)
            try await client.detachVolume(fast, from: use.instance)
            try await client.deleteVolume(fast)
            #expect(await code { _ = try await client.volume(fast) } == .notFound)
        }
    }

    @Test func `a volume has the keys of Incus and ours beside them`() async throws {
        try await RunningServer.with { server in
            let path = "/1.0/storage-pools/default/volumes/custom"
            let made = try await server.ask("POST", path, #"{"name": "data"}"#)
            #expect(made.status == 200)
            let (_, json) = try await server.ask("GET", "\(path)/data")
            guard case .object(let members)? = json["metadata"] else {
                Issue.record("no volume")
                return
            }
            #expect(
                Set(members.keys) == [
                    "name", "type", "content_type", "description", "pool", "config",
                    "created_at", "used_by", "location", "project", "godwit",
                ])
            #expect(members["type"] == .string("custom"))
        }
    }

    @Test(
        arguments: [
            ("POST", "/1.0/storage-pools/default/volumes/custom", #"{"name": "no_name"}"#),
            ("POST", "/1.0/storage-pools/..%2f/volumes/custom", #"{"name": "data"}"#),
            ("GET", "/1.0/storage-pools/default/volumes/custom/%2e%2e", nil),
            ("PUT", "/1.0/storage-pools/default/volumes/custom/data/instances/web", "{}"),
            (
                "PUT", "/1.0/storage-pools/default/volumes/custom/data/instances/a_b",
                #"{"path": "/d"}"#
            ),
        ] as [(String, String, String?)])
    func `what is no volume is a bad request`(
        method: String, path: String, body: String?
    ) async throws {
        try await RunningServer.with { server in
            let answer = try await server.ask(method, path, body)
            #expect(answer.status == 400)
        }
    }

    @Test func `a launch and a move say what they mount`() async throws {
        try await RunningServer.with { server in
            let body = """
                {"name": "db", "root": "/image", "mounts": [
                    {"hostPath": "/srv", "path": "/srv", "isReadOnly": true},
                    {"volume": {"pool": "fast", "name": "data"}, "path": "/data",
                     "isReadOnly": false}]}
                """
            #expect(try await server.ask("POST", "/1.0/instances", body).status == 202)
            try await server.eventually {
                server.host.state.withLock { !$0.launched.isEmpty }
            }
            let launched = server.host.state.withLock { $0.launched }
            #expect(
                launched.first?.mounts == [
                    MountDefinition(hostPath: "/srv", path: "/srv", isReadOnly: true),
                    MountDefinition(
                        path: "/data", isReadOnly: false,
                        volume: try VolumeReference("fast/data")),
                ])
            let neither = #"{"name": "d", "root": "/i", "mounts": [{"path": "/d"}]}"#
            #expect(try await server.ask("POST", "/1.0/instances", neither).status == 400)
            let wrong = #"{"migration": true, "target": "b", "mounts": {"/d": "burn"}}"#
            let answer = try await server.ask("POST", "/1.0/instances/db", wrong)
            #expect(answer.status == 400)
        }
    }
}
