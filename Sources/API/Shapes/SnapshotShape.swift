import MigrationCore

/// A snapshot in the shape of LXD and Incus, with ours (`godwit`) beside it.
struct SnapshotShape: Codable, Equatable, Sendable {
    var architecture: String
    var config: [String: String]
    var createdAt: String
    var devices: [String: [String: String]]
    var ephemeral = false
    var expandedConfig: [String: String]
    var expandedDevices: [String: [String: String]]
    /// That of year 1 where it does not expire, as Incus has it.
    var expiresAt: String
    var lastUsedAt: String
    var name: String
    var profiles: [String] = []
    var stateful: Bool
    /// Not measured.
    var size = -1
    /// Everything that Godwit knows, without loss.
    var godwit: SnapshotView

    enum CodingKeys: String, CodingKey {
        case architecture, config, devices, ephemeral, name, profiles, stateful, size, godwit
        case createdAt = "created_at"
        case expandedConfig = "expanded_config"
        case expandedDevices = "expanded_devices"
        case expiresAt = "expires_at"
        case lastUsedAt = "last_used_at"
    }

    init(_ view: SnapshotView) {
        let snapshot = view.snapshot
        architecture = hostArchitecture
        config = settings(of: view.definition)
        createdAt = rfc3339(snapshot.created)
        devices = API.devices(of: view.definition)
        expandedConfig = config
        expandedDevices = devices
        expiresAt = snapshot.expires.map(rfc3339) ?? "0001-01-01T00:00:00Z"
        lastUsedAt = createdAt
        name = snapshot.name.text
        stateful = snapshot.isStateful
        godwit = view
    }
}

/// `PUT /1.0/instances/NAME/snapshots/SNAP`.
struct SnapshotPut: Codable, Sendable {
    /// RFC 3339; left out or empty: never.
    var expiresAt: String?

    enum CodingKeys: String, CodingKey {
        case expiresAt = "expires_at"
    }

    init(expiresAt: String?) { self.expiresAt = expiresAt }

    func expires() throws -> Timestamp? {
        try expiresAt.flatMap { $0.isEmpty ? nil : $0 }.map(timestamp)
    }
}

/// `POST /1.0/instances/NAME/snapshots`.
struct SnapshotsPost: Codable, Sendable {
    var name: SnapshotName?
    var stateful: Bool?
    /// RFC 3339; left out or empty: never.
    var expiresAt: String?

    enum CodingKeys: String, CodingKey {
        case name, stateful
        case expiresAt = "expires_at"
    }

    init(_ request: SnapshotRequest) {
        name = request.name
        expiresAt = request.expires.map(rfc3339)
        stateful = request.isStateful
    }

    func request(of instance: InstanceName) throws -> SnapshotRequest {
        let expires = try SnapshotPut(expiresAt: expiresAt).expires()
        return SnapshotRequest(
            instance: instance, name: name, expires: expires, isStateful: stateful ?? false)
    }
}
