import API
import MigrationCore
import Synchronization
import Testing

/// Every resource over a real socket, its success and its failures.
@Suite struct ResourceTests {
    @Test func `the host tells what it is and what it can`() async throws {
        try await RunningServer.with { server in
            #expect(try await server.client.information() == Sample.information)
            let check = try await server.client.check()
            #expect(check == HostCheck(facts: Sample.facts, findings: [Sample.finding]))
            let (status, root) = try await server.ask("GET", "/1.0")
            #expect(status == 200)
            #expect(root["metadata"]?["api_version"] == .string("1.0"))
            #expect(root["metadata"]?["environment"]?["server_name"] == .string("host-a"))
        }
    }

    @Test func `instances are listed and shown without loss`() async throws {
        try await RunningServer.with { server in
            #expect(try await server.client.instances().isEmpty)
            try server.host.add("web")
            try server.host.add("db", .frozen)
            let names = try await server.client.instances().map(\.definition.name.text)
            #expect(names == ["db", "web"])
            let shown = try await server.client.instance(InstanceName("web"))
            #expect(shown == (try Sample.instance("web", .running)))
        }
    }

    @Test func `a launch carries all it was asked for`() async throws {
        try await RunningServer.with { server in
            let request = LaunchRequest(
                name: try InstanceName("new"), root: .path("/images/redis"),
                command: ["redis", "-v"],
                environment: ["A=1"], workingDirectory: "/srv", userID: 7, groupID: 8,
                limits: ResourceLimits(memory: .gibibytes(1), cpuMillis: 500, processes: 9),
                isPrivileged: true,
                interfaces: [InterfaceRequest(bridge: "br0", addresses: ["10.0.0.9/24"])],
                mounts: [MountDefinition(hostPath: "/a", path: "/b", isReadOnly: true)],
                pool: "fast", starts: false)
            try await server.client.launch(request)
            #expect(server.host.state.withLock(\.launched) == [request])
            let again = await code { try await server.client.launch(request) }
            #expect(again == .nameTaken)
        }
    }

    @Test func `a launch in JSON needs only a name and a root`() async throws {
        try await RunningServer.with { server in
            let body = #"{"name": "tiny", "root": "/images/tiny"}"#
            let (status, json) = try await server.ask("POST", "/1.0/instances", body)
            #expect(status == 202)
            let id = try #require(json["metadata"]?["id"]?.text)
            #expect(json["operation"] == .string("/1.0/operations/\(id)"))
            #expect(try await server.client.wait(id).error == nil)
            let launched = server.host.state.withLock(\.launched)
            let expected = LaunchRequest(
                name: try InstanceName("tiny"), root: .path("/images/tiny"))
            #expect(launched == [expected])
        }
    }

    @Test func `the state of an instance is changed by actions`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web", .stopped)
            let web = try InstanceName("web")
            let status = { try await server.client.instance(web).observation.status }
            try await server.client.start(web)
            #expect(try await status() == .running)
            #expect(await code { try await server.client.start(web) } == .alreadyRunning)
            try await server.client.freeze(web)
            #expect(try await status() == .frozen)
            try await server.client.unfreeze(web)
            #expect(try await status() == .running)
            try await server.client.restart(web, force: false, grace: nil)
            try await server.client.stop(web, force: true, grace: 3)
            #expect(try await status() == .stopped)
            try await server.client.start(web, .never)
            try await server.client.stopStateful(web)
            try await server.client.start(web, .always)
            try await server.client.stop(web, force: false, grace: nil)
            let stops = ["web true 3.0 seconds", "web stateful", "web false 30.0 seconds"]
            #expect(server.host.state.withLock(\.stops) == stops)
            #expect(server.host.state.withLock(\.starts) == [.ifKept, .ifKept, .never, .always])
            let (code, state) = try await server.ask("GET", "/1.0/instances/web/state")
            #expect(code == 200)
            #expect(state["metadata"]?["status_code"] == .integer(102))
        }
    }

    @Test func `an instance is renamed`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let shop = try InstanceName("shop")
            try await server.client.rename(InstanceName("web"), to: shop)
            let instances = try await server.client.instances()
            #expect(instances.map(\.definition.name) == [shop])
            #expect(instances.map(\.observation.status) == [.running])
        }
    }

    @Test func `a running instance is only deleted by force`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let web = try InstanceName("web")
            do {
                try await server.client.delete(web, force: false)
                Issue.record("it was deleted")
            } catch let error as GodwitError {
                #expect(error.code == .alreadyRunning)
            }
            #expect(try await server.client.instances().count == 1)
            try await server.client.delete(web, force: true)
            #expect(try await server.client.instances().isEmpty)
        }
    }

    @Test func `what does not exist cannot be deleted`() async throws {
        try await RunningServer.with { server in
            let none = try InstanceName("none")
            #expect(await code { try await server.client.delete(none, force: true) } == .notFound)
        }
    }

    @Test func `a log comes as raw bytes`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let log = try await server.client.log(InstanceName("web"))
            #expect(log == [0x68, 0x69, 0x0a, 0xff])
            let missing = await code { _ = try await server.client.log(InstanceName("none")) }
            #expect(missing == .notFound)
        }
    }

    @Test func `remotes and trust are added, listed and removed`() async throws {
        try await RunningServer.with { server in
            let name = try RemoteName("host-b")
            try await server.client.addRemote(name, token: "good")
            let bad = await code { try await server.client.addRemote(name, token: "bad") }
            #expect(bad == .tokenRejected)
            #expect(try await server.client.remotes().map(\.name) == [name])
            try await server.client.removeRemote(name)
            #expect(await code { try await server.client.removeRemote(name) } == .notFound)
            #expect(try await server.client.addTrust(name) == "token-for-host-b")
            #expect(try await server.client.trusted().map(\.name) == ["host-b"])
            try await server.client.removeTrust(name)
            #expect(try await server.client.trusted().isEmpty)
        }
    }

    @Test func `what is forwarded is listed and ended`() async throws {
        try await RunningServer.with { server in
            let web = try InstanceName("web")
            let forward = Forward(
                instance: web, direction: .leaving, other: "192.0.2.2",
                until: Timestamp(milliseconds: 1))
            server.host.state.withLock { $0.forwards = [forward] }
            #expect(try await server.client.forwards() == [forward])
            try await server.client.endForward(web)
            #expect(try await server.client.forwards() == [])
            #expect(await code { try await server.client.endForward(web) } == .notFound)
        }
    }

    @Test func `pools are made, shown, grown and removed`() async throws {
        try await RunningServer.with { server in
            let fast = PoolDefinition(
                name: "fast", kind: .btrfs, source: "/dev/sdz", size: .gibibytes(1))
            try await server.client.createPool(fast)
            #expect(try await server.client.pools().map(\.definition) == [fast])
            try await server.client.growPool("fast", to: .gibibytes(2))
            #expect(try await server.client.pool("fast").definition.size == .gibibytes(2))
            let copy = KeptCopy(
                id: try MigrationID(String(repeating: "a", count: 32)), kind: .volume,
                instance: try InstanceUUID(String(repeating: "b", count: 32)),
                name: try InstanceName("web"),
                pool: "fast", kept: Timestamp(milliseconds: 1), expires: Timestamp(milliseconds: 2),
                used: .mebibytes(3))
            server.host.state.withLock { $0.pools[0].kept = [copy] }
            #expect(try await server.client.pool("fast").kept == [copy])
            #expect(try await server.client.prunePool("fast") == [copy])
            #expect(try await server.client.prunePool("fast") == [])
            try await server.client.deletePool("fast")
            #expect(try await server.client.pools() == [])
            #expect(await code { _ = try await server.client.pool("fast") } == .notFound)
            let wrong = try await server.ask(
                "POST", "/1.0/storage-pools", #"{"name": "a", "driver": "floppy"}"#)
            #expect(wrong.status == 400)
        }
    }

    @Test func `images are imported, shown, exported and deleted`() async throws {
        try await RunningServer.with { server in
            let (client, redis) = (server.client, try ImageName("redis"))
            let made = try await client.importImage(ImageImport(path: "/r", alias: redis))
            #expect(made == (try Sample.image(alias: redis)))
            #expect(try await client.images() == [made])
            #expect(try await client.image(ImageName("1111")) == made)
            try await client.exportImage(redis, to: "/x.tar")
            #expect(server.host.state.withLock(\.exports) == ["111111111111 to /x.tar"])
            let (_, json) = try await server.ask("GET", "/1.0/images/redis")
            let shown = json["metadata"]
            #expect(shown?["fingerprint"]?.text == String(repeating: "1", count: 64))
            #expect(shown?["architecture"]?.text == "x86_64")
            #expect(shown?["size"] == .integer(3_072))
            try await client.deleteImage(redis)
            #expect(await code { _ = try await client.image(redis) } == .notFound)
            let wrong = await code {
                _ = try await client.importImage(ImageImport(path: "/r", tag: "wrong"))
            }
            #expect(wrong == .badRequest)
            let bad = try await server.ask("GET", "/1.0/images/a%20b")
            #expect(bad.status == 400)
        }
    }

    @Test func `a launch names an image as Incus does, or a path, never both`() async throws {
        try await RunningServer.with { server in
            let image = try ImageName("redis")
            try await server.client.launch(
                LaunchRequest(name: try InstanceName("one"), root: .image(image)))
            let body = { (rest: String) in "{\"name\": \"two\", \(rest)}" }
            let source = #""source": {"type": "image", "fingerprint": "redis"}"#
            let (status, json) = try await server.ask("POST", "/1.0/instances", body(source))
            #expect(status == 202)
            _ = try await server.client.wait(json["metadata"]?["id"]?.text ?? "")
            let roots = server.host.state.withLock(\.launched).map(\.root)
            #expect(roots == [.image(image), .image(image)])
            for rest in [#""pool": "a""#, #""root": "/a", "# + source, #""source": {"type": "a"}"#]
            {
                let (status, _) = try await server.ask("POST", "/1.0/instances", body(rest))
                #expect(status == 400, "\(rest)")
            }
        }
    }

    @Test func `a person's decision arrives`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            try await server.client.resolve(InstanceName("web"), .keepHere)
            #expect(server.host.state.withLock(\.resolutions) == ["web": .keepHere])
            let wrong = try await server.ask(
                "POST", "/1.0/instances/web/resolve", #"{"resolution": "toss"}"#)
            #expect(wrong.status == 400)
        }
    }

    @Test(arguments: [
        ("GET", "/1.0/nothing", 404), ("GET", "/2.0", 404), ("GET", "/1.0/instances/none", 404),
        ("GET", "/1.0/instances/-bad-", 400), ("GET", "/1.0/instances/none/state", 404),
        ("GET", "/1.0/instances/none/logs/console.log", 404), ("GET", "/1.0/operations/x", 404),
        ("DELETE", "/1.0/operations/x", 404), ("GET", "/1.0/operations/x/wait", 404),
        ("GET", "/1.0/migrations/x", 400), ("DELETE", "/1.0/remotes/none", 404),
        ("GET", "/1.0/migrations?instance=9", 400), ("GET", "/1.0/events", 400),
        ("GET", "/1.0/migrations/00000000000000000000000000000000", 404),
        ("DELETE", "/1.0/migrations/00000000000000000000000000000000", 404),
    ])
    func `what is not there is refused in the envelope`(
        method: String, path: String, status: Int
    ) async throws {
        try await RunningServer.with { server in
            let answer = try await server.ask(method, path)
            #expect(answer.status == status)
            #expect(answer.json["type"] == .string("error"))
            #expect(answer.json["error_code"] == .integer(Int64(status)))
            #expect(answer.json["error"]?.text?.isEmpty == false)
            #expect(answer.json["metadata"]?["code"]?.text != nil)
        }
    }

    @Test(arguments: [
        ("", "the body is not JSON"), ("{", "the body is not JSON"),
        ("[]", "the whole of the body is not"), ("{}", "the body lacks `name`"),
        (#"{"name": 7, "root": "/"}"#, "`name` of the body is not a string"),
        (#"{"name": "web"}"#, "the body lacks `root`"),
        (#"{"name": "9", "root": "/"}"#, "the instance name \"9\" is not usable"),
        (#"{"name": "w", "root": "/", "user": -1}"#, "out of range"),
        (#"{"name": "w", "root": "/", "start": "yes"}"#, "`start` of the body is not true or"),
    ])
    func `a body that does not fit is told what was expected`(
        body: String, text: String
    ) async throws {
        try await RunningServer.with { server in
            let answer = try await server.ask("POST", "/1.0/instances", body)
            #expect(answer.status == 400)
            #expect(answer.json["error"]?.text?.contains(text) == true, "\(answer.json)")
        }
    }

    @Test func `a body over the limit is refused, one at the limit is read`() async throws {
        try await RunningServer.with { server in
            let limit = Int(Limit.requestBody.bytes)
            let over = String(repeating: " ", count: limit + 1)
            let answer = try await server.ask("POST", "/1.0/instances", over)
            #expect(answer.status == 400)
            #expect(answer.json["metadata"]?["code"] == .string("limit-exceeded"))
            let full = String(repeating: " ", count: limit - 2) + "{}"
            let other = try await server.ask("POST", "/1.0/instances", full)
            #expect(other.json["error"]?.text?.contains("`name`") == true)
        }
    }

    @Test func `a missing daemon is said at once, with what to do`() async throws {
        let client = HostClient(socketPath: "/tmp/gwapi-nobody-here")
        let error = await #expect(throws: GodwitError.self) { _ = try await client.instances() }
        #expect(error?.code == .daemonUnreachable)
        #expect(error?.remedy?.contains("systemctl start godwit") == true)
    }

    @Test func `requests at the same time are all answered`() async throws {
        try await RunningServer.with { server in
            for number in 0..<20 { try server.host.add("web\(number)") }
            try await withThrowingTaskGroup { group in
                for number in 0..<200 {
                    group.addTask {
                        let name = try InstanceName("web\(number % 20)")
                        let view = try await server.client.instance(name)
                        #expect(view.definition.name == name)
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
