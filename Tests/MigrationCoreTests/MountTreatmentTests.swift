import MigrationCore
import Testing

/// What may be asked of mounts, and what is usual.
@Suite struct MountTreatmentTests {
    private func definition() throws -> InstanceDefinition {
        var definition = Sample.definition
        definition.mounts = [
            MountDefinition(hostPath: "/srv/data", path: "/data", isReadOnly: true),
            MountDefinition(hostPath: "/srv/data", path: "/again", isReadOnly: false),
            MountDefinition(
                path: "/var/lib/db", isReadOnly: false, volume: try VolumeReference("fast/db")),
        ]
        return definition
    }

    @Test(arguments: ["move", "share", "skip", "refuse", "/mnt/x"])
    func `a treatment is read as it is written`(text: String) throws {
        #expect(try MountTreatment(text).description == text)
    }

    @Test(arguments: ["", "moved", "mnt", "SKIP", "/" + String(repeating: "a", count: 40_000)])
    func `anything else is no treatment`(text: String) {
        #expect(throws: GodwitError(.badRequest, "")) { try MountTreatment(text) }
    }

    @Test func `volumes travel, and host paths are the target's too`() throws {
        let definition = try definition()
        let options = MoveOptions()
        #expect(
            options.treatments(of: definition) == [
                "/data": .share, "/again": .share, "/var/lib/db": .move,
            ])
        #expect(options.movingVolumes(of: definition) == [try VolumeReference("fast/db")])
        #expect(options.arriving(definition).mounts == definition.mounts)
        var bare = definition
        bare.mounts = []
        #expect(options.treatments(of: bare) == nil)
    }

    @Test func `a mount is called by its place or by the host's path`() throws {
        let definition = try definition()
        let inside = try definition.treatments(for: ["/data": .skip])
        #expect(inside == ["/data": .skip])
        let outside = try definition.treatments(for: ["/srv/data": .remap("/mnt")])
        #expect(outside == ["/data": .remap("/mnt"), "/again": .remap("/mnt")])
        let volume = try definition.treatments(for: ["/var/lib/db": .skip])
        #expect(volume == ["/var/lib/db": .skip])
    }

    @Test func `what fits no mount is refused with a cure`() throws {
        var definition = try definition()
        let wishes: [[String: MountTreatment]] = [
            ["/nowhere": .skip], ["/data": .move], ["/var/lib/db": .remap("/mnt")],
            ["/data": .skip, "/srv/data": .share], ["/": .skip], ["": .skip],
        ]
        for wish in wishes {
            let error = #expect(throws: GodwitError.self) {
                try definition.treatments(for: wish)
            }
            #expect(error?.code == .badRequest && error?.remedy != nil, "\(wish)")
        }
        definition.mounts.append(
            MountDefinition(hostPath: "/other", path: "/srv/data", isReadOnly: true))
        #expect(throws: GodwitError(.badRequest, "")) {
            try definition.treatments(for: ["/srv/data": .skip])
        }
        #expect(try definition.treatments(for: ["/other": .skip]) == ["/srv/data": .skip])
    }

    @Test func `the target has what is remapped under the new path, and not what is skipped`()
        throws
    {
        let definition = try definition()
        let options = MoveOptions(
            mode: .cold,
            mounts: ["/data": .remap("/mnt/d"), "/again": .skip, "/var/lib/db": .skip])
        let mounts = options.arriving(definition).mounts
        #expect(
            mounts == [MountDefinition(hostPath: "/mnt/d", path: "/data", isReadOnly: true)])
        #expect(options.movingVolumes(of: definition) == [])
    }

    @Test(arguments: [
        ("data", "default", "data"), ("fast/data", "fast", "data"),
    ])
    func `a volume is called by pool and name`(text: String, pool: String, name: String) throws {
        let volume = try VolumeReference(text)
        #expect(volume.pool == pool && volume.name.text == name)
        #expect(volume.description == "\(pool)/\(name)")
        #expect(volume.stored == "custom_data" && volume.key == "custom/\(pool)/data")
    }

    @Test(arguments: ["", "/", "/data", "fast/", "a/b/c", "../x", "fast/..", "fa st/x", "x_y"])
    func `what is no volume's name is refused`(text: String) {
        #expect(throws: GodwitError(.badRequest, "")) { try VolumeReference(text) }
    }

    @Test(arguments: ["data", "/", "/a/../b", "/a//b", "/a/", "", "/a/./b"])
    func `a mount has an absolute path without detours`(path: String) {
        var definition = Sample.definition
        definition.mounts = [MountDefinition(hostPath: "/srv", path: path, isReadOnly: true)]
        #expect(throws: GodwitError(.badRequest, "")) { try definition.requireUsableMounts() }
    }

    @Test func `two mounts are in two places, and a volume is mounted once`() throws {
        var definition = try definition()
        try definition.requireUsableMounts()
        definition.mounts[1].path = "/data"
        #expect(throws: GodwitError(.badRequest, "")) { try definition.requireUsableMounts() }
        definition.mounts[1] = definition.mounts[2]
        definition.mounts[1].path = "/elsewhere"
        #expect(throws: GodwitError(.badRequest, "")) { try definition.requireUsableMounts() }
        definition.mounts = try (0..<Limit.volumesPerInstance).map {
            MountDefinition(
                path: "/v\($0)", isReadOnly: false, volume: try VolumeReference("v\($0)"))
        }
        #expect(throws: GodwitError(.limitExceeded, "")) { try definition.requireUsableMounts() }
        definition.mounts.removeLast()
        try definition.requireUsableMounts()
    }
}
