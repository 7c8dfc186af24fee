import MigrationCore

/// A named volume in the shape of LXD and Incus, with ours (`godwit`) beside it.
struct VolumeShape: Codable, Equatable, Sendable {
    var name: String
    var type = "custom"
    var contentType = "filesystem"
    var description = ""
    var pool: String
    var config: [String: String]
    var createdAt: String
    var usedBy: [String]
    var location = "none"
    var project = "default"
    /// Everything that Godwit knows, without loss.
    var godwit: VolumeView

    enum CodingKeys: String, CodingKey {
        case name, type, description, pool, config, location, project, godwit
        case contentType = "content_type"
        case createdAt = "created_at"
        case usedBy = "used_by"
    }

    @inline(never)
    init(_ view: VolumeView) {
        name = view.volume.name.text
        pool = view.volume.pool
        config = [:]
        config["volatile.idmap.base"] = view.idMap.map { "\($0.hostStart)" }
        createdAt = rfc3339(view.created)
        usedBy = view.uses.map { "/1.0/instances/\($0.instance)" }
        godwit = view
    }
}

/// `POST /1.0/storage-pools/POOL/volumes/custom`.
struct VolumesPost: Codable, Sendable {
    var name: VolumeName
}

/// `PUT /1.0/storage-pools/POOL/volumes/custom/NAME/instances/INSTANCE`.
struct VolumeUsePut: Codable, Sendable {
    /// Where, in the instance.
    var path: String
    var readonly: Bool?
}
