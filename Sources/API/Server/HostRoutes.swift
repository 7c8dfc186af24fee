import Hummingbird
import MigrationCore

/// The host itself: `/`, `/1.0`, `/1.0/check`.
struct HostRoutes: Sendable {
    let control: any HostControl

    func add(to router: Router<APIContext>) {
        router.get("/") { _, _ in try Response.sync(["/1.0"]) }
        router.get("1.0") { _, _ in
            try Response.sync(ServerShape(await control.information()))
        }
        router.get("1.0/check") { _, _ in try Response.sync(await control.check()) }
        router.get("1.0/events") { _, _ -> Response in
            throw GodwitError(
                .badRequest, "events come over a websocket",
                remedy: "ask with `Upgrade: websocket`")
        }
    }
}

/// Other hosts: `/1.0/remotes` (whom we reach) and `/1.0/trust` (whom we let in).
struct TrustRoutes: Sendable {
    let control: any HostControl

    func add(to router: Router<APIContext>) {
        router.get("1.0/remotes") { _, _ in try Response.sync(await control.remotes()) }
        router.post("1.0/remotes") { request, _ in
            let post = try await request.decoded(RemotesPost.self)
            try await control.addRemote(post.name, token: post.token)
            return try Response.sync(Nothing())
        }
        router.delete("1.0/remotes/:name") { _, context in
            let name = try context.remoteName()
            try await control.removeRemote(name)
            return try Response.sync(Nothing())
        }
        router.get("1.0/trust") { _, _ in try Response.sync(await control.trusted()) }
        router.post("1.0/trust") { request, _ in
            let post = try await request.decoded(TrustPost.self)
            let token = try await control.addTrust(post.name)
            return try Response.sync(TrustToken(name: post.name, token: token))
        }
        router.delete("1.0/trust/:name") { _, context in
            let name = try context.remoteName()
            try await control.removeTrust(name)
            return try Response.sync(Nothing())
        }
    }
}
