import Hummingbird
import MigrationCore

/// `/1.0/instances` and below, but for moving.
struct InstanceRoutes: Sendable {
    let control: any HostControl
    let operations: Operations
    let events: EventHub

    func add(to router: Router<APIContext>) {
        router.get("1.0/instances") { _, _ in
            try listAnswer(await control.instances())
        }
        router.post("1.0/instances") { request, _ in
            let post = try await request.decoded(InstancesPost.self)
            if let copied = try post.copyRequest() { return try Response.created(copy(copied)) }
            return try Response.created(launch(post.launchRequest()))
        }
        router.get("1.0/instances/:name") { _, context in
            try instanceAnswer(await control.instance(context.instanceName()))
        }
        router.delete("1.0/instances/:name", use: delete)
        router.get("1.0/instances/:name/state") { _, context in
            try stateAnswer(await control.instance(context.instanceName()))
        }
        router.put("1.0/instances/:name/state") { request, context in
            let put = try await request.decoded(StatePut.self)
            return try Response.created(change(context.instanceName(), put))
        }
        router.get("1.0/instances/:name/logs/console.log") { _, context in
            let bytes = try await control.log(
                context.instanceName(), limit: Limit.instanceLog + Limit.instanceLog)
            return Response(
                status: .ok, headers: [.contentType: "application/octet-stream"],
                body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
        }
        router.post("1.0/instances/:name/exec") { request, context in
            let post = try await request.decoded(ExecPost.self)
            return try Response.created(execute(post, in: context.instanceName()))
        }
    }

    private func launch(_ request: LaunchRequest) throws -> OperationView {
        try operations.begin("Creating instance", on: request.name) { _ in
            try await control.launch(request)
            events.publishLifecycle("instance-created", request.name)
            if request.starts { events.publishLifecycle("instance-started", request.name) }
        }
    }

    private func copy(_ request: CopyRequest) throws -> OperationView {
        try operations.begin("Creating instance", on: request.newName) { _ in
            try await control.copy(request)
            events.publishLifecycle("instance-created", request.newName)
        }
    }

    private func delete(_ request: Request, _ context: APIContext) async throws -> Response {
        let name = try context.instanceName()
        return try Response.created(delete(name, force: request.isForced))
    }

    // These three are not inlined: compiler 6.3.1 crashes ("splitting coroutine") where they stand
    // in an asynchronous function.

    @inline(never)
    private func listAnswer(_ views: [InstanceView]) throws -> Response {
        try Response.sync(views.map(InstanceShape.init))
    }

    @inline(never)
    private func instanceAnswer(_ view: InstanceView) throws -> Response {
        try Response.sync(InstanceShape(view))
    }

    @inline(never)
    private func stateAnswer(_ view: InstanceView) throws -> Response {
        try Response.sync(InstanceStateShape(view))
    }

    private func delete(_ name: InstanceName, force: Bool) throws -> OperationView {
        try operations.begin("Deleting instance", on: name) { _ in
            try await control.delete(name, force: force)
            events.publishLifecycle("instance-deleted", name)
        }
    }

    private func change(_ name: InstanceName, _ put: StatePut) throws -> OperationView {
        guard (0...86_400).contains(put.timeout ?? 0) else {
            throw GodwitError(
                .badRequest, "`timeout` is not a number of seconds from 0 to 86400",
                remedy: "leave it out for 30 seconds")
        }
        let grace = Duration.seconds(put.timeout ?? 30)
        let force = put.force ?? false
        let (title, word) = put.action.words
        return try operations.begin(title, on: name) { _ in
            switch put.action {
            case .start: try await control.start(name, put.use)
            case .stop where put.stateful == true: try await control.stopStateful(name)
            case .stop: try await control.stop(name, force: force, grace: grace)
            case .restart: try await control.restart(name, force: force, grace: grace)
            case .freeze: try await control.freeze(name)
            case .unfreeze: try await control.unfreeze(name)
            }
            events.publishLifecycle(word, name)
        }
    }

    private func execute(_ post: ExecPost, in name: InstanceName) throws -> OperationView {
        try check(post)
        let session = ExecSession()
        let secrets = session.secrets.mapValues(JSONValue.string)
        let request = Operations.Request(
            class: .websocket, description: "Executing command",
            resources: ["instances": ["/1.0/instances/\(name)"]], cancellation: .task,
            metadata: [
                "command": .array(post.command.map(JSONValue.string)),
                "fds": .object(secrets), "interactive": .bool(false),
            ],
            exec: session)
        return try operations.begin(request) { handle in
            let status = try await session.run(post, in: name, on: control)
            handle.set("return", .integer(Int64(status)))
        }
    }

    private func check(_ post: ExecPost) throws {
        guard !post.command.isEmpty, post.command.count <= Limit.commandWords,
            (post.environment ?? [:]).count <= Limit.environmentVariables
        else {
            throw GodwitError(
                .badRequest, "`command` has no word, or there are too many",
                remedy: "give 1 to \(Limit.commandWords) words")
        }
    }
}

extension StatePut.Action {
    /// The operation's description, and the lifecycle event of its success, as Incus calls them.
    fileprivate var words: (title: String, event: String) {
        switch self {
        case .start: ("Starting instance", "instance-started")
        case .stop: ("Stopping instance", "instance-stopped")
        case .restart: ("Restarting instance", "instance-restarted")
        case .freeze: ("Freezing instance", "instance-paused")
        case .unfreeze: ("Unfreezing instance", "instance-resumed")
        }
    }
}
