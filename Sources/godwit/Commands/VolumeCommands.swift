import API
import ArgumentParser
import MigrationCore

struct VolumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Named volumes, which instances mount.",
        discussion: """
            They travel with the one instance that has them (docs/volumes.md).
            """,
        subcommands: [
            Create.self, List.self, Info.self, Attach.self, Detach.self, Delete.self,
        ])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an empty volume.",
            discussion: """
                Examples:
                  godwit volume create data
                  godwit volume create fast/data
                """)

        @OptionGroup var target: VolumeArgument
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.client.createVolume(target.volume)
            Output.say(
                "the volume \(target.volume) is made; use it with `godwit launch --volume` or "
                    + "`godwit volume attach`")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the volumes, of one pool or of all.",
            discussion: """
                Example:
                  godwit volume list
                """)

        @Argument(help: "The pool.") var pool: String?
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let volumes = try await connection.client.volumes(in: pool)
            try output.say(volumes, as: volumesText)
        }
    }

    struct Info: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a volume.",
            discussion: """
                Example:
                  godwit volume info data
                """)

        @OptionGroup var target: VolumeArgument
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let volume = try await connection.client.volume(target.volume)
            try output.say(volume, as: volumeText)
        }
    }

    struct Attach: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a stopped instance mount a volume.",
            discussion: """
                Examples:
                  godwit volume attach data db /var/lib/db
                  godwit volume attach fast/data web /srv --read-only
                """)

        @OptionGroup var target: VolumeArgument
        @Argument(
            help: "The instance.", completion: Completion.instances, transform: Read.instance)
        var instance: InstanceName
        @Argument(help: "Where it sees the volume.") var path: String
        @Flag(name: .customLong("read-only"), help: "It cannot write to it.") var readOnly = false
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            let use = VolumeUse(instance: instance, path: path, isReadOnly: readOnly)
            try await connection.client.attachVolume(target.volume, use)
        }
    }

    struct Detach: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a stopped instance mount a volume no more.",
            discussion: """
                Example:
                  godwit volume detach data db
                """)

        @OptionGroup var target: VolumeArgument
        @Argument(
            help: "The instance.", completion: Completion.instances, transform: Read.instance)
        var instance: InstanceName
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.client.detachVolume(target.volume, from: instance)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a volume that is attached to no instance, with its files.",
            discussion: """
                Example:
                  godwit volume delete data
                """)

        @OptionGroup var target: VolumeArgument
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.deleteVolume(target.volume) }
    }
}

/// A volume on the command line.
struct VolumeArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The volume; without a pool it is in the one called default.",
            valueName: "[pool/]name"),
        transform: Read.volume)
    var volume: VolumeReference
}
