import Engine
import Foundation
import MigrationCore
import Synchronization
import Testing

@Suite struct ImageTests {
    private let redis = imageName("redis")

    private func imported(_ node: Node, _ path: String, _ alias: ImageName?) async throws
        -> ImageView
    {
        try await node.service.importImage(ImageImport(path: path, alias: alias))
    }

    @Test func `an image is taken in once, whatever it is called`() async throws {
        try await World.run(hasInstance: false) { world in
            let service = try world.a.service
            let first = try await imported(world.a, "/r", redis)
            let second = try await imported(world.a, "/r", imageName("cache"))
            #expect(second.aliases.map(\.text) == ["cache", "redis"])
            #expect(second.imported == first.imported)
            _ = try await imported(world.a, "/r", redis)
            _ = try await imported(world.a, "/r", nil)
            let all = try await service.images()
            #expect(all == [second])
            let digest = ImageName.of(first)
            for name in [redis, digest, imageName(String(digest.text.prefix(4)))] {
                #expect(try await service.image(name) == second)
            }
        }
    }

    @Test func `an alias that another image has is refused, and nothing is left`() async throws {
        try await World.run(hasInstance: false) { world in
            _ = try await imported(world.a, "/r", redis)
            let blobs = world.a.images.blobs.withLock { $0 }
            await #expect(throws: GodwitError(.nameTaken, "")) {
                _ = try await imported(world.a, "/s", redis)
            }
            #expect(world.a.images.blobs.withLock { $0 } == blobs)
            #expect(try await world.a.service.images().count == 1)
        }
    }

    @Test func `an image takes its blobs with it, but for those that others need`() async throws {
        try await World.run(hasInstance: false) { world in
            let service = try world.a.service
            let first = try await imported(world.a, "/r", redis)
            _ = try await imported(world.a, "/s", nil)
            let other = try world.a.images.image("/s")
            try await service.deleteImage(ImageName.of(first))
            #expect(world.a.images.blobs.withLock { $0 } == Set(other.blobs.map(\.digest)))
            await #expect(throws: GodwitError(.notFound, "")) { _ = try await service.image(redis) }
            await #expect(throws: GodwitError(.notFound, "")) {
                try await service.deleteImage(redis)
            }
        }
    }

    @Test func `what is being taken in is not swept away`() async throws {
        try await World.run(hasInstance: false) { world in
            let (node, service) = (world.a, try world.a.service)
            _ = try await imported(node, "/r", redis)
            node.images.faults.set("take /s", .hangs)
            async let coming = imported(node, "/s", nil)
            try await poll("an import is under way") { node.images.faults.hasReached("take /s") }
            try await service.deleteImage(redis)
            node.images.faults.set("take /s", nil)
            let image = try await coming.image
            #expect(node.images.blobs.withLock { $0 } == Set(image.blobs.map(\.digest)))
        }
    }

    @Test func `a daemon sweeps away what the last one was taking in`() async throws {
        try await World.run(hasInstance: false) { world in
            let node = world.a
            let image = try await imported(node, "/r", redis).image
            await node.kill()
            _ = try await node.images.take("/s", tag: nil)
            try node.start()
            try await poll("only what is needed is there") {
                node.images.blobs.withLock { $0 } == Set(image.blobs.map(\.digest))
            }
            #expect(try await node.service.image(redis).image == image)
        }
    }

    @Test func `a launch remembers its image, also elsewhere`() async throws {
        try await World.run(hasInstance: false) { world in
            let image = try await imported(world.a, "/r", redis).image
            try await world.a.service.launch(LaunchRequest(name: web, root: .image(redis)))
            let definition = try await world.a.service.instance(web).definition
            #expect(definition.image == InstanceImage(digest: image.digest, name: redis))
            #expect(definition.process.command == ["/image"] && definition.process.userID == 7)
            #expect(world.a.pool.content("web") == "image \(image.digest)")
            #expect(try await world.a.service.image(redis).instances == [web])
            _ = try await world.move()
            try await world.settled()
            #expect(try await world.b.service.instance(web).definition.image == definition.image)
            try await world.a.service.deleteImage(redis)
            #expect(try await world.b.service.instance(web).observation.status == .running)
        }
    }

    @Test func `an image stays while it is launched or exported`() async throws {
        try await World.run(hasInstance: false) { world in
            let (node, service) = (world.a, try world.a.service)
            _ = try await imported(node, "/r", redis)
            for step in ["unpack", "export redis /x"] {
                node.images.faults.set(step, .hangs)
                async let used: Void =
                    step == "unpack"
                    ? service.launch(LaunchRequest(name: web, root: .image(redis)))
                    : service.exportImage(redis, to: "/x")
                try await poll("it is in use") { node.images.faults.hasReached(step) }
                await #expect(throws: GodwitError(.busy, "")) {
                    try await service.deleteImage(redis)
                }
                node.images.faults.set(step, nil)
                try await used
            }
            try await service.deleteImage(redis)
            #expect(try await service.images().isEmpty)
        }
    }

    @Test func `a launch from what is no image says what was looked for`() async throws {
        try await World.run(hasInstance: false) { world in
            let service = try world.a.service
            for path in ["/r", "/s"] { _ = try await imported(world.a, path, nil) }
            let launch = { (name: String) in
                try await service.launch(LaunchRequest(name: web, root: .image(imageName(name))))
            }
            let unknown = await #expect(throws: GodwitError.self) { try await launch("redis") }
            #expect(unknown?.code == .notFound && unknown?.remedy?.contains("./redis") == true)
            // Both paths begin with a slash, 2f.
            let short = await #expect(throws: GodwitError.self) { try await launch("2f") }
            #expect(short?.code == .notFound)
            world.a.images.faults.fails("unpack", .stateUnreadable)
            let digest = try FakeImages.digest("/rm").hexadecimal
            await #expect(throws: GodwitError(.stateUnreadable, "")) { try await launch(digest) }
            #expect(try await service.instances().isEmpty)
            #expect(world.a.pool.names.isEmpty)
        }
    }

    @Test func `a beginning that several digests have is refused`() async throws {
        try await World.run(hasInstance: false) { world in
            for path in ["/ra", "/rb"] { _ = try await imported(world.a, path, nil) }
            await #expect(throws: GodwitError(.badRequest, "")) {
                _ = try await world.a.service.image(imageName("2f72"))
            }
            _ = try await world.a.service.image(imageName("2f7261"))
        }
    }

    @Test func `a definition of before there were images is read`() throws {
        let old = """
            {"created":0,"interfaces":[],"kind":"oci","limits":{},"mounts":[],"name":"web",
             "pool":"default","process":{"command":["a"],"environment":[],"groupID":0,
             "userID":0,"workingDirectory":"/"}}
            """
        let definition = try JSONDecoder().decode(InstanceDefinition.self, from: Data(old.utf8))
        #expect(definition.image == nil && definition.name == web)
    }
}

private func imageName(_ text: String) -> ImageName {
    do { return try ImageName(text) } catch { fatalError("\(text) is no name") }
}

extension ImageName {
    fileprivate static func of(_ view: ImageView) -> ImageName {
        imageName(view.image.digest.hexadecimal)
    }
}
