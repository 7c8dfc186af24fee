import Foundation
import MigrationCore
import Testing

@testable import API

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

    @Test func `an instance is spelled like this`() throws {
        let shape = InstanceShape(try Sample.instance("web", .running))
        #expect(shape.statusCode == 103)
        #expect(shape.createdAt == "2026-11-21T09:34:14.334Z")
        #expect(shape.config["environment.A"] == "b=c")
        #expect(shape.config["environment.EMPTY"]?.isEmpty == true)
        #expect(shape.config["limits.memory"] == "67108864")
        #expect(shape.config["security.privileged"] == "false")
        #expect(shape.devices["root"] == ["type": "disk", "path": "/", "pool": "default"])
        #expect(shape.devices["eth0"]?["parent"] == "br0")
        #expect(
            shape.devices["mount0"]
                == ["type": "disk", "source": "/srv", "path": "/data", "readonly": "true"])
    }

    @Test(arguments: [
        (InstanceStatus.stopped, 102, "Stopped"), (.running, 103, "Running"),
        (.frozen, 110, "Frozen"), (.error, 112, "Error"),
    ])
    func `a status has the number of Incus`(
        status: InstanceStatus, code: Int, word: String
    ) throws {
        let shape = InstanceStateShape(try Sample.instance("web", status))
        #expect(shape.statusCode == code)
        #expect(shape.status == word)
    }

    @Test func `addresses are told by family and prefix length`() throws {
        let shape = InstanceStateShape(try Sample.instance("web", .running))
        let addresses = try #require(shape.network["eth0"]?.addresses)
        #expect(addresses.map(\.family) == ["inet", "inet6"])
        #expect(addresses.map(\.address) == ["10.0.0.5", "fd00::5"])
        #expect(addresses.map(\.netmask) == ["24", "64"])
    }

    @Test(arguments: [
        JSONValue.null, .bool(true), .integer(-5), .integer(Int64.max), .unsigned(UInt64.max),
        .number(1.5), .string("a\"b/ü"), .array([.null, .integer(1)]), .object(["a": .object([:])]),
    ])
    func `any JSON survives a round trip`(value: JSONValue) throws {
        #expect(try value.decoded(as: JSONValue.self) == value)
    }

    @Test(arguments: GodwitError.Code.allCases)
    func `every error comes back as it went`(code: GodwitError.Code) throws {
        let error = GodwitError(
            code, "text", remedy: "do", cause: "why", findings: [Sample.finding])
        let body = errorBody(error)
        let back = try JSON.decode(Envelope<GodwitError>.self, from: body)
        #expect(back.metadata.description == error.description)
        #expect(back.errorCode == code.httpStatus)
        #expect(back.error == "text")
    }
}
