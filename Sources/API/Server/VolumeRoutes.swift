import Hummingbird
import MigrationCore

/// Named volumes: `/1.0/storage-pools/POOL/volumes/custom`, and which instances have them.
struct VolumeRoutes: Sendable {
    let control: any HostControl

    func add(to router: Router<APIContext>) {
        router.get("1.0/storage-volumes") { _, _ in
            try listAnswer(await control.volumes(in: nil))
        }
        router.get("1.0/storage-pools/:name/volumes/custom") { _, context in
            try listAnswer(await control.volumes(in: context.poolName()))
        }
        router.post("1.0/storage-pools/:name/volumes/custom") { request, context in
            let post = try await request.decoded(VolumesPost.self)
            try await control.createVolume(context.volume(post.name))
            return try Response.sync(Nothing())
        }
        router.get("1.0/storage-pools/:name/volumes/custom/:volume") { _, context in
            try answer(await control.volume(context.volume()))
        }
        router.delete("1.0/storage-pools/:name/volumes/custom/:volume") { _, context in
            try await control.deleteVolume(context.volume())
            return try Response.sync(Nothing())
        }
        let use = RouterPath("1.0/storage-pools/:name/volumes/custom/:volume/instances/:instance")
        router.put(use) { request, context in
            let put = try await request.decoded(VolumeUsePut.self)
            try await control.attachVolume(context.volume(), context.use(put))
            return try Response.sync(Nothing())
        }
        router.delete(use) { _, context in
            try await control.detachVolume(context.volume(), from: context.user())
            return try Response.sync(Nothing())
        }
    }

    // Not inlined, as those of `InstanceRoutes`.

    @inline(never)
    private func listAnswer(_ views: [VolumeView]) throws -> Response {
        try Response.sync(views.map(VolumeShape.init))
    }

    @inline(never)
    private func answer(_ view: VolumeView) throws -> Response {
        try Response.sync(VolumeShape(view))
    }
}

extension APIContext {
    @inline(never)
    fileprivate func volume() throws -> VolumeReference {
        try volume(VolumeName(parameters.require("volume")))
    }

    @inline(never)
    fileprivate func volume(_ name: VolumeName) throws -> VolumeReference {
        try VolumeReference(pool: poolName(), name: name)
    }

    @inline(never)
    fileprivate func user() throws -> InstanceName {
        try InstanceName(parameters.require("instance"))
    }

    @inline(never)
    fileprivate func use(_ put: VolumeUsePut) throws -> VolumeUse {
        VolumeUse(instance: try user(), path: put.path, isReadOnly: put.readonly ?? false)
    }
}
