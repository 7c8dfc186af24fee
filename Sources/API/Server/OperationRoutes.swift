import Hummingbird
import MigrationCore

/// `/1.0/operations` and below.
struct OperationRoutes: Sendable {
    let operations: Operations

    func add(to router: Router<APIContext>) {
        router.get("1.0/operations") { _, _ in try Response.sync(groups()) }
        router.get("1.0/operations/:id") { _, context in
            try Response.sync(operations.view(context.operationID()))
        }
        router.delete("1.0/operations/:id") { _, context in
            try await operations.cancel(context.operationID())
            return try Response.sync(Nothing())
        }
        router.get("1.0/operations/:id/wait") { request, context in
            let timeout = try timeout(request.uri.queryParameters.get("timeout"))
            let id = try context.operationID()
            return try Response.sync(await operations.wait(id, timeout: timeout))
        }
        router.get("1.0/operations/:id/websocket") { _, _ -> Response in
            throw GodwitError(
                .badRequest, "this is a websocket", remedy: "ask with `Upgrade: websocket`")
        }
    }

    /// Operations by their status in lower case, as Incus lists them.
    private func groups() -> [String: [OperationView]] {
        Dictionary(grouping: operations.all()) { $0.status.lowercased() }
    }

    /// - Parameter text: seconds; -1 or nothing waits for ever.
    private func timeout(_ text: String?) throws -> Duration? {
        guard let text, text != "-1" else { return nil }
        guard let seconds = Double(text), seconds >= 0, seconds <= 86_400 else {
            throw GodwitError(
                .badRequest, "\"\(text.prefix(80))\" is no timeout",
                remedy: "give seconds from 0 to 86400, or -1 for no limit")
        }
        return .seconds(seconds)
    }
}
