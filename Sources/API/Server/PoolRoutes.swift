import Hummingbird
import MigrationCore

/// Where volumes are: `/1.0/storage-pools`.
struct PoolRoutes: Sendable {
    let control: any HostControl

    func add(to router: Router<APIContext>) {
        router.get("1.0/storage-pools") { _, _ in try listAnswer(await control.pools()) }
        router.post("1.0/storage-pools") { request, _ in
            let post = try await request.decoded(PoolsPost.self)
            try await control.createPool(post.definition)
            return try Response.sync(Nothing())
        }
        router.get("1.0/storage-pools/:name") { _, context in
            try answer(await control.pool(context.poolName()))
        }
        router.put("1.0/storage-pools/:name") { request, context in
            let put = try await request.decoded(PoolPut.self)
            try await control.growPool(context.poolName(), to: put.size)
            return try Response.sync(Nothing())
        }
        router.delete("1.0/storage-pools/:name/kept") { _, context in
            try Response.sync(await control.prunePool(context.poolName()))
        }
        router.delete("1.0/storage-pools/:name") { _, context in
            try await control.deletePool(context.poolName())
            return try Response.sync(Nothing())
        }
    }

    // Not inlined, as those of `InstanceRoutes`.

    @inline(never)
    private func listAnswer(_ views: [PoolView]) throws -> Response {
        try Response.sync(views.map(PoolShape.init))
    }

    @inline(never)
    private func answer(_ view: PoolView) throws -> Response {
        try Response.sync(PoolShape(view))
    }
}

extension APIContext {
    @inline(never)
    func poolName() throws -> String { try parameters.require("name") }
}
