import API
import ArgumentParser
import MigrationCore

struct ImageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "What instances are launched from.",
        subcommands: [
            Import.self, List.self, Info.self, Export.self, Delete.self,
        ])

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take in a root filesystem or an OCI image.",
            discussion: """
                PATH is a directory, a tar archive (plain or compressed by gzip, xz or zstd) or an
                OCI image layout, as a directory or in an archive. Nothing is stored twice.

                Examples:
                  godwit image import debian.tar.zst debian
                  skopeo copy docker://docker.io/library/redis:7 oci:redis:7
                  godwit image import ./redis redis
                """)

        @Argument(help: "What to take in.", completion: .file()) var path: String
        @Argument(help: "An alias; without, the digest names it.", transform: Read.image)
        var name: ImageName?
        @Option(help: "Which image of a layout that holds several.") var tag: String?
        @OptionGroup var connection: ConnectionOptions

        var request: ImageImport { ImageImport(path: absolute(path), tag: tag, alias: name) }

        func run() async throws {
            let view = try await connection.client.importImage(request)
            let name = name?.text ?? view.image.digest.short
            Output.say("\(view.image.digest)\nlaunch it with `godwit launch \(name) NAME`")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the images.",
            discussion: """
                Example:
                  godwit image list
                """)

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let images = try await connection.client.images()
            try output.say(images, as: imagesText)
        }
    }

    struct Info: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an image.",
            discussion: """
                Example:
                  godwit image info redis
                """)

        @Argument(help: ImageCommand.nameHelp, transform: Read.image) var image: ImageName
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let view = try await connection.client.image(image)
            try output.say(view, as: imageText)
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write an image as an OCI image layout.",
            discussion: """
                As a tar archive if PATH ends in .tar, else as a directory. `godwit image import`
                takes it again with the same digest; skopeo and umoci read it.

                Examples:
                  godwit image export redis /srv/redis.tar
                  godwit image export redis ./redis
                """)

        @Argument(help: ImageCommand.nameHelp, transform: Read.image) var image: ImageName
        @Argument(help: "Where to; there must be nothing yet.", completion: .file())
        var path: String
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.client.exportImage(image, to: absolute(path))
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an image with all its aliases.",
            discussion: """
                What other images need stays, and so do instances that were launched from it.

                Example:
                  godwit image delete redis
                """)

        @Argument(help: ImageCommand.nameHelp, transform: Read.image) var image: ImageName
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.deleteImage(image) }
    }

    static var nameHelp: ArgumentHelp { "An alias, or the beginning of the digest." }
}
