import API
import ArgumentParser
import MigrationCore

struct MigrationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrations", abstract: "List the migrations that this host has seen.",
        discussion: """
            Examples:
              godwit migrations
              godwit migrations db --format json
            """)

    @Argument(
        help: "Only this instance's.", completion: Completion.instances,
        transform: Read.instance)
    var name: InstanceName?
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: FormatOptions

    func run() async throws {
        let reports = try await connection.client.migrations(of: name)
        try output.say(reports, as: migrationsText)
    }
}

struct MigrationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migration", abstract: "Show, change or cancel one migration.",
        subcommands: [Show.self, Set.self, Cancel.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a migration's report.",
            discussion: """
                Example:
                  godwit migration show 3f1c0b8e5d6a4b7c9e2f1a0d8c7b6a59
                """)

        @Argument(help: "The migration's id.", transform: Read.migration) var id: MigrationID
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let client = connection.client
            let view = try await client.migration(id)
            guard output.format == .table else { return try Output.say(json: view) }
            let host = try await client.information().name
            Output.say(
                detailText(view.report, progress: view.progress, host: host, style: .forOutput))
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a migration while it runs.",
            discussion: """
                Holds at once for all that this host sends for it. Ask the host from which the
                instance moves.

                Examples:
                  godwit migration set 3f1c0b8e5d6a4b7c9e2f1a0d8c7b6a59 --bandwidth 20MiB
                  godwit migration set 3f1c0b8e5d6a4b7c9e2f1a0d8c7b6a59 --bandwidth unlimited
                """)

        @Argument(help: "The migration's id.", transform: Read.migration) var id: MigrationID
        @Option(
            help: ArgumentHelp(
                "Bytes a second at most, such as 100MiB, or unlimited.", valueName: "size"),
            transform: Read.bandwidth)
        var bandwidth: Bandwidth
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.client.setBandwidth(bandwidth.limit, of: id)
        }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cancel a running migration.",
            discussion: """
                Example:
                  godwit migration cancel 3f1c0b8e5d6a4b7c9e2f1a0d8c7b6a59
                """)

        @Argument(help: "The migration's id.", transform: Read.migration) var id: MigrationID
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.cancelMigration(id) }
    }
}

struct ResolveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve",
        abstract: "Decide where an instance is when the hosts cannot.",
        discussion: """
            Only for a migration that stays undecided because the other host will never answer, or
            has lost the instance while memory still followed it. Deciding wrongly can make the
            instance run twice, or nowhere. On a target that lacks memory, --gone gives up what
            runs there.

            Examples:
              godwit resolve db --keep-here
              godwit resolve db --gone
            """)

    @OptionGroup var target: InstanceArgument
    @Flag(name: .customLong("keep-here"), help: "It runs on here, as it was when it was frozen.")
    var keepsHere = false
    @Flag(help: "It does not go on here; what is left of it is removed.") var gone = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard keepsHere != gone else {
            throw ValidationError("give one of --keep-here and --gone")
        }
    }

    func run() async throws {
        try await connection.client.resolve(target.name, keepsHere ? .keepHere : .gone)
    }
}
