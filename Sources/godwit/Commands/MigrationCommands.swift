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
        switch output.format {
        case .table: Output.say(migrationsText(reports))
        case .json: try Output.say(json: reports)
        }
    }
}

struct MigrationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migration", abstract: "Show or cancel one migration.",
        subcommands: [Show.self, Cancel.self])

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
        abstract: "Decide where an instance is whose other host is gone for good.",
        discussion: """
            Only for a migration that stays undecided because the other host will never answer.
            Deciding wrongly can make the instance run twice, or nowhere.

            Examples:
              godwit resolve db --keep-here
              godwit resolve db --gone
            """)

    @OptionGroup var target: InstanceArgument
    @Flag(name: .customLong("keep-here"), help: "It runs on here; the other host never took it.")
    var keepsHere = false
    @Flag(help: "The other host has it; what is left of it here is removed.") var gone = false
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
