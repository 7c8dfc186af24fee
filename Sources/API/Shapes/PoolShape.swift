import MigrationCore

/// A pool in the shape of LXD and Incus, with ours (`godwit`) beside it.
struct PoolShape: Codable, Equatable, Sendable {
    var name: String
    var description = ""
    var driver: String
    var status: String
    var config: [String: String]
    var usedBy: [String]
    var locations = ["none"]
    /// Everything that Godwit knows, without loss.
    var godwit: PoolView

    enum CodingKeys: String, CodingKey {
        case name, description, driver, status, config
        case usedBy = "used_by"
        case locations, godwit
    }

    @inline(never)
    init(_ view: PoolView) {
        name = view.definition.name
        driver = view.definition.kind.rawValue
        status = view.fault == nil ? "Created" : "Unavailable"
        config = [:]
        config["source"] = view.definition.source
        config["size"] = view.definition.size.map { "\($0.bytes)" }
        let volumes = "/1.0/storage-pools/\(name)/volumes/custom/"
        usedBy = view.instances.map { "/1.0/instances/\($0)" } + view.volumes.map { volumes + $0 }
        godwit = view
    }
}

/// `POST /1.0/storage-pools`.
struct PoolsPost: Codable, Sendable {
    var name: String
    var driver: PoolKind
    var config: Config?

    /// What the pool stands on; left out, a place below the daemon's state.
    struct Config: Codable, Sendable {
        var source: String?
        /// In bytes.
        var size: ByteCount?
    }

    var definition: PoolDefinition {
        PoolDefinition(name: name, kind: driver, source: config?.source, size: config?.size)
    }

    init(_ definition: PoolDefinition) {
        name = definition.name
        driver = definition.kind
        config = Config(source: definition.source, size: definition.size)
    }
}

/// `PUT /1.0/storage-pools/NAME`: more room.
struct PoolPut: Codable, Sendable {
    /// In bytes.
    var size: ByteCount
}
