import Hummingbird
import MigrationCore

/// `/1.0/instances/NAME/snapshots` and below, and the way back to one of them.
struct SnapshotRoutes: Sendable {
    let control: any HostControl
    let operations: Operations
    let events: EventHub

    func add(to router: Router<APIContext>) {
        router.get("1.0/instances/:name/snapshots") { _, context in
            try listAnswer(await control.snapshots(of: context.instanceName()))
        }
        router.post("1.0/instances/:name/snapshots") { request, context in
            let post = try await request.decoded(SnapshotsPost.self)
            return try Response.created(create(post.request(of: context.instanceName())))
        }
        router.get("1.0/instances/:name/snapshots/:snapshot") { _, context in
            let (name, snapshot) = try context.snapshotPath()
            return try answer(await control.snapshot(snapshot, of: name))
        }
        router.delete("1.0/instances/:name/snapshots/:snapshot") { _, context in
            let (name, snapshot) = try context.snapshotPath()
            return try Response.created(delete(snapshot, of: name))
        }
        router.put("1.0/instances/:name/snapshots/:snapshot") { request, context in
            let (name, snapshot) = try context.snapshotPath()
            let expires = try await request.decoded(SnapshotPut.self).expires()
            try await control.setExpiry(expires, of: snapshot, of: name)
            return try Response.sync(Nothing())
        }
        router.patch("1.0/instances/:name") { request, context in
            let name = try context.instanceName()
            let schedule = try await request.decoded(InstancePatch.self).schedule()
            try await control.setSchedule(schedule, of: name)
            return try Response.sync(Nothing())
        }
        router.put("1.0/instances/:name") { request, context in
            let put = try await request.decoded(InstancePut.self)
            let use: StateUse = put.stateful == false ? .never : .ifKept
            return try Response.created(restore(put.restore, of: context.instanceName(), use))
        }
    }

    // Not inlined, as those of `InstanceRoutes`.

    @inline(never)
    private func listAnswer(_ views: [SnapshotView]) throws -> Response {
        try Response.sync(views.map(SnapshotShape.init))
    }

    @inline(never)
    private func answer(_ view: SnapshotView) throws -> Response {
        try Response.sync(SnapshotShape(view))
    }

    private func create(_ request: SnapshotRequest) throws -> OperationView {
        try operations.begin("Snapshotting instance", on: request.instance) { handle in
            let view = try await control.createSnapshot(request)
            handle.set("snapshot", view.snapshot)
            let name = view.snapshot.name
            handle.addResource(
                "instances_snapshots", "/1.0/instances/\(request.instance)/snapshots/\(name)")
            events.publishLifecycle(
                "instance-snapshot-created", request.instance, snapshot: name)
        }
    }

    private func delete(
        _ snapshot: SnapshotName, of name: InstanceName
    ) throws -> OperationView {
        try operations.begin("Deleting snapshot", on: name) { _ in
            try await control.deleteSnapshot(snapshot, of: name)
            events.publishLifecycle("instance-snapshot-deleted", name, snapshot: snapshot)
        }
    }

    private func restore(
        _ snapshot: SnapshotName, of name: InstanceName, _ use: StateUse
    ) throws -> OperationView {
        try operations.begin("Restoring snapshot", on: name) { _ in
            try await control.restoreSnapshot(snapshot, of: name, use)
            events.publishLifecycle("instance-restored", name)
        }
    }
}

extension APIContext {
    @inline(never)
    fileprivate func snapshotPath() throws -> (InstanceName, SnapshotName) {
        (try instanceName(), try snapshotName())
    }
}
