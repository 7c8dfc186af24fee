import Hummingbird
import MigrationCore

/// Images that instances are launched from: `/1.0/images`.
struct ImageRoutes: Sendable {
    let control: any HostControl
    let operations: Operations

    func add(to router: Router<APIContext>) {
        router.get("1.0/images") { _, _ in try listAnswer(await control.images()) }
        router.post("1.0/images") { request, _ in
            let post = try await request.decoded(ImagesPost.self)
            return try Response.created(importImage(post))
        }
        router.get("1.0/images/:name") { _, context in
            try answer(await control.image(context.imageName()))
        }
        router.post("1.0/images/:name/export") { request, context in
            let post = try await request.decoded(ImageExportPost.self)
            return try Response.created(export(context.imageName(), post))
        }
        router.delete("1.0/images/:name") { _, context in
            try Response.created(delete(context.imageName()))
        }
    }

    private func importImage(_ post: ImagesPost) throws -> OperationView {
        let request = try post.request()
        return try operations.begin(described("Importing image")) { handle in
            let view = try await control.importImage(request)
            handle.set("fingerprint", .string(view.image.digest.hexadecimal))
            handle.addResource("images", "/1.0/images/\(view.image.digest.hexadecimal)")
        }
    }

    private func export(_ name: ImageName, _ post: ImageExportPost) throws -> OperationView {
        try operations.begin(described("Exporting image", name)) { _ in
            try await control.exportImage(name, to: post.path)
        }
    }

    private func delete(_ name: ImageName) throws -> OperationView {
        var request = described("Deleting image", name)
        request.cancellation = .never
        return try operations.begin(request) { _ in
            try await control.deleteImage(name)
        }
    }

    private func described(_ text: String, _ name: ImageName? = nil) -> Operations.Request {
        let resources = name.map { ["images": ["/1.0/images/\($0)"]] } ?? [:]
        return Operations.Request(
            description: text, resources: resources, cancellation: .task)
    }

    // Not inlined, as those of `InstanceRoutes`.

    @inline(never)
    private func listAnswer(_ views: [ImageView]) throws -> Response {
        try Response.sync(views.map(ImageShape.init))
    }

    @inline(never)
    private func answer(_ view: ImageView) throws -> Response {
        try Response.sync(ImageShape(view))
    }
}

extension APIContext {
    @inline(never)
    fileprivate func imageName() throws -> ImageName {
        try ImageName(parameters.require("name"))
    }
}
