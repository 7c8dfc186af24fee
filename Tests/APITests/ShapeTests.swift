import API
import Foundation
import MigrationCore
import Synchronization
import Testing

/// The shapes against those that a real Incus 6 gave (recorded).
@Suite struct ShapeTests {
    private static let instanceKeys: Set = [
        "architecture", "config", "devices", "ephemeral", "profiles", "stateful", "description",
        "created_at", "expanded_config", "expanded_devices", "name", "status", "status_code",
        "last_used_at", "location", "type", "project",
    ]
    private static let operationKeys: Set = [
        "id", "class", "description", "created_at", "updated_at", "status", "status_code",
        "resources", "metadata", "may_cancel", "err", "location",
    ]
    private static let envelopeKeys: Set = [
        "type", "status", "status_code", "operation", "error_code", "error", "metadata",
    ]

    private func keys(_ value: JSONValue?) -> Set<String> {
        guard case .object(let members)? = value else { return [] }
        return Set(members.keys)
    }

    @Test func `an instance has the keys of Incus and ours beside them`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let (_, json) = try await server.ask("GET", "/1.0/instances/web")
            #expect(keys(json) == Self.envelopeKeys)
            #expect(keys(json["metadata"]) == Self.instanceKeys.union(["godwit"]))
        }
    }

    @Test func `an operation has the keys of Incus`() async throws {
        try await RunningServer.with { server in
            let body = #"{"name": "tiny", "root": "/"}"#
            let (_, json) = try await server.ask("POST", "/1.0/instances", body)
            #expect(keys(json) == Self.envelopeKeys)
            #expect(keys(json["metadata"]) == Self.operationKeys)
            #expect(json["type"] == .string("async"))
            #expect(json["status"] == .string("Operation created"))
            #expect(json["status_code"] == .integer(100))
            let id = try #require(json["metadata"]?["id"]?.text)
            let ended = try await server.ask("GET", "/1.0/operations/\(id)/wait")
            #expect(ended.json["metadata"]?["status"] == .string("Success"))
            #expect(ended.json["metadata"]?["status_code"] == .integer(200))
            #expect(
                ended.json["metadata"]?["resources"]
                    == .object(["instances": .array([.string("/1.0/instances/tiny")])]))
        }
    }

    @Test func `a macvlan is spelled as Incus spells it`() async throws {
        try await RunningServer.with { server in
            var view = try Sample.instance("web", .running)
            view.definition.interfaces[0].nicType = .macvlan
            view.definition.interfaces[0].bridge = "uplink"
            server.host.state.withLock { [view] in $0.instances["web"] = view }
            let shape = try await server.ask("GET", "/1.0/instances/web").json["metadata"]
            let device = shape?["devices"]?["eth0"]
            #expect(device?["nictype"] == .string("macvlan"))
            #expect(device?["parent"] == .string("uplink"))
        }
    }

    @Test func `an instance is spelled like this`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let shape = try #require(
                try await server.ask("GET", "/1.0/instances/web").json["metadata"])
            #expect(shape["status_code"] == .integer(103))
            #expect(shape["created_at"] == .string("2026-11-21T09:34:14.334Z"))
            let config = try #require(shape["config"])
            #expect(config["environment.A"] == .string("b=c"))
            #expect(config["environment.EMPTY"] == .string(""))
            #expect(config["limits.memory"] == .string("67108864"))
            #expect(config["security.privileged"] == .string("false"))
            let devices = try #require(shape["devices"])
            #expect(devices["eth0"]?["nictype"] == .string("bridged"))
            #expect(devices["eth0"]?["parent"] == .string("br0"))
            #expect(devices["root"]?["pool"] == .string("default"))
            #expect(
                devices["mount0"]
                    == .object([
                        "type": .string("disk"), "source": .string("/srv"),
                        "path": .string("/data"),
                        "readonly": .string("true"),
                    ]))
        }
    }

    @Test(
        arguments: [
            (InstanceStatus.stopped, 102, "Stopped"), (.running, 103, "Running"),
            (.frozen, 110, "Frozen"), (.error, 112, "Error"),
        ] as [(InstanceStatus, Int64, String)])
    func `a status has the number of Incus`(
        status: InstanceStatus, code: Int64, word: String
    ) async throws {
        try await RunningServer.with { server in
            try server.host.add("web", status)
            let (_, json) = try await server.ask("GET", "/1.0/instances/web/state")
            #expect(json["metadata"]?["status_code"] == .integer(code))
            #expect(json["metadata"]?["status"] == .string(word))
        }
    }

    @Test func `addresses are told by family and prefix length`() async throws {
        try await RunningServer.with { server in
            try server.host.add("web")
            let (_, json) = try await server.ask("GET", "/1.0/instances/web/state")
            let eth0 = json["metadata"]?["network"]?["eth0"]
            guard case .array(let addresses)? = eth0?["addresses"] else {
                Issue.record("no addresses in \(json)")
                return
            }
            #expect(addresses.map { $0["family"]?.text } == ["inet", "inet6"])
            #expect(addresses.map { $0["address"]?.text } == ["10.0.0.5", "fd00::5"])
            #expect(addresses.map { $0["netmask"]?.text } == ["24", "64"])
        }
    }

    @Test(arguments: [
        JSONValue.null, .bool(true), .integer(-5), .integer(Int64.max), .unsigned(UInt64.max),
        .number(1.5), .string("a\"b/ü"), .array([.null, .integer(1)]), .object(["a": .object([:])]),
    ])
    func `any JSON survives a round trip`(value: JSONValue) throws {
        #expect(try value.decoded(as: JSONValue.self) == value)
    }

    @Test(arguments: GodwitError.Code.allCases)
    func `every error comes back as it went`(code: GodwitError.Code) async throws {
        try await RunningServer.with { server in
            let error = GodwitError(
                code, "text", remedy: "do", cause: "why", findings: [Sample.finding])
            server.host.state.withLock { $0.failure = error }
            let (status, json) = try await server.ask("GET", "/1.0")
            #expect(status == code.httpStatus)
            #expect(json["error"] == .string("text"))
            let back = await #expect(throws: GodwitError.self) {
                _ = try await server.client.information()
            }
            #expect(back?.description == error.description)
        }
    }
}
