import Hummingbird
import MigrationCore

/// Moving and renaming instances, `/1.0/migrations`, `/1.0/forwards`, and the decision of a person.
struct MoveRoutes: Sendable {
    let control: any HostControl
    let operations: Operations
    let events: EventHub

    func add(to router: Router<APIContext>) {
        router.post("1.0/instances/:name") { request, context in
            let post = try await request.decoded(InstancePost.self)
            let name = try context.instanceName()
            guard post.migration == true else {
                return try Response.created(rename(name, post))
            }
            return try Response.created(move(post.moveRequest(of: name)))
        }
        router.post("1.0/instances/:name/move-plan") { request, context in
            let post = try await request.decoded(InstancePost.self)
            let request = try post.moveRequest(of: context.instanceName())
            return try Response.sync(await control.planMove(request))
        }
        router.post("1.0/instances/:name/resolve") { request, context in
            let post = try await request.decoded(ResolvePost.self)
            try await control.resolve(context.instanceName(), post.resolution)
            return try Response.sync(Nothing())
        }
        router.get("1.0/forwards") { _, _ in try Response.sync(await control.forwards()) }
        router.delete("1.0/forwards/:name") { _, context in
            try await control.endForward(context.instanceName())
            return try Response.sync(Nothing())
        }
        router.get("1.0/migrations") { request, _ in
            let name = try request.instanceQuery()
            return try Response.sync(await control.migrations(of: name))
        }
        router.get("1.0/migrations/:id") { _, context in
            try Response.sync(await view(context.migrationID()))
        }
        router.put("1.0/migrations/:id/bandwidth") { request, context in
            let put = try await request.decoded(BandwidthPut.self)
            try await control.setBandwidth(put.bandwidth, of: context.migrationID())
            return try Response.sync(Nothing())
        }
        router.delete("1.0/migrations/:id") { _, context in
            try await control.cancelMigration(context.migrationID())
            return try Response.sync(Nothing())
        }
    }

    private func view(_ id: MigrationID) async throws -> MigrationView {
        let report = try await control.migration(id)
        return MigrationView(report: report, progress: try await control.progress(of: id))
    }

    private func rename(_ name: InstanceName, _ post: InstancePost) throws -> OperationView {
        guard let newName = post.name else {
            throw GodwitError(
                .badRequest, "the body has neither a new `name` nor `migration`",
                remedy: "give one of them")
        }
        return try operations.begin("Renaming instance", on: name) { _ in
            try await control.rename(name, to: newName)
            events.publishLifecycle("instance-renamed", newName)
        }
    }

    private func move(_ request: MoveRequest) throws -> OperationView {
        try operations.begin("Migrating instance", on: request.name) { handle in
            let report = try await control.move(
                request,
                started: { id in
                    // First: who sees the id may cancel at once.
                    handle.setCancellation(.request { try await control.cancelMigration(id) })
                    handle.set("migration", .string(id.text))
                    handle.addResource("migrations", "/1.0/migrations/\(id)")
                },
                progress: { progress in
                    handle.set("progress", progress)
                    events.publish(progress)
                })
            handle.set("report", report)
            events.publishLifecycle("instance-migrated", request.name)
        }
    }
}
