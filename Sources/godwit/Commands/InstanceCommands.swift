import API
import ArgumentParser
import MigrationCore

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List this host's instances.",
        discussion: """
            Examples:
              godwit list
              godwit list db web
              godwit list --format json
            """,
        aliases: ["ls"])

    @Argument(
        help: "Those alone; left out: all.", completion: Completion.instances,
        transform: Read.instance)
    var names: [InstanceName] = []
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: FormatOptions

    func run() async throws {
        let all = try await connection.client.instances()
        if let missing = names.first(where: { name in
            !all.contains { $0.definition.name == name }
        }) {
            throw GodwitError(
                .notFound, "there is no instance \(missing)", remedy: "see `godwit list`")
        }
        let instances = names.isEmpty ? all : all.filter { names.contains($0.definition.name) }
        try output.say(instances, as: listText)
    }
}

struct InfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show all about an instance.",
        discussion: """
            Example:
              godwit info db
            """)

    @OptionGroup var target: InstanceArgument
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: FormatOptions

    func run() async throws {
        let view = try await connection.client.instance(target.name)
        try output.say(view, as: infoText)
    }
}

/// The name of an instance, as most commands take it.
struct InstanceArgument: ParsableArguments {
    @Argument(
        help: "The instance's name.", completion: Completion.instances,
        transform: Read.instance)
    var name: InstanceName
}

struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a stopped instance.",
        discussion: """
            An instance that was stopped with its state goes on where it stood.

            Examples:
              godwit start db
              godwit start db --stateless
            """)

    @OptionGroup var target: InstanceArgument
    @Flag(help: "Discard its saved state and start it anew.") var stateless = false
    @Flag(help: "Go on from its saved state even if its files may have changed since.")
    var stateful = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if stateless && stateful {
            throw ValidationError("--stateless and --stateful exclude each other")
        }
    }

    func run() async throws {
        let use: StateUse = stateless ? .never : stateful ? .always : .ifKept
        try await connection.client.start(target.name, use)
    }
}

/// How an instance is made to end.
struct StopOptions: ParsableArguments {
    @Flag(help: "Kill it at once.") var force = false
    @Option(help: ArgumentHelp("How long it may take to end by itself.", valueName: "seconds"))
    var timeout: Int?

    func validate() throws {
        guard (0...86_400).contains(timeout ?? 0) else {
            throw ValidationError("--timeout is a number of seconds from 0 to 86400")
        }
    }
}

struct StopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop an instance.",
        discussion: """
            Its first process is asked to end (SIGTERM); after the timeout all are killed.

            Examples:
              godwit stop db
              godwit stop db --timeout 5
              godwit stop db --force
              godwit stop db --stateful
            """)

    @OptionGroup var target: InstanceArgument
    @OptionGroup var options: StopOptions
    @Flag(help: "Save its processes' state, from which `godwit start` goes on.")
    var stateful = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if stateful && (options.force || options.timeout != nil) {
            throw ValidationError("--stateful ends nothing: leave --force and --timeout out")
        }
    }

    func run() async throws {
        if stateful { return try await connection.client.stopStateful(target.name) }
        try await connection.client.stop(
            target.name, force: options.force, grace: options.timeout)
    }
}

struct RestartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Stop an instance and start it again.",
        discussion: """
            Example:
              godwit restart db --timeout 5
            """)

    @OptionGroup var target: InstanceArgument
    @OptionGroup var options: StopOptions
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.client.restart(
            target.name, force: options.force, grace: options.timeout)
    }
}

struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Freeze an instance where it stands.",
        discussion: """
            Example:
              godwit pause db
            """)

    @OptionGroup var target: InstanceArgument
    @OptionGroup var connection: ConnectionOptions

    func run() async throws { try await connection.client.freeze(target.name) }
}

struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let a frozen instance run on.",
        discussion: """
            Example:
              godwit resume db
            """)

    @OptionGroup var target: InstanceArgument
    @OptionGroup var connection: ConnectionOptions

    func run() async throws { try await connection.client.unfreeze(target.name) }
}

struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a stopped instance with its volume and snapshots, or one snapshot.",
        discussion: """
            Examples:
              godwit delete db
              godwit delete db --force
              godwit delete db/snap0
            """,
        aliases: ["rm"])

    @Argument(
        help: ArgumentHelp("The instance, or one of its snapshots.", valueName: "name[/snap]"),
        completion: Completion.instances, transform: Read.snapshotPath)
    var path: SnapshotPath
    @Flag(name: .shortAndLong, help: "Also if it runs.") var force = false
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        if let snapshot = path.snapshot {
            try await connection.client.deleteSnapshot(snapshot, of: path.instance)
        } else {
            try await connection.client.delete(path.instance, force: force)
        }
    }
}

struct RenameCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename", abstract: "Rename a stopped instance.",
        discussion: """
            Example:
              godwit rename db cache
            """)

    @OptionGroup var target: InstanceArgument
    @Argument(help: "Its new name.", transform: Read.instance) var newName: InstanceName
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.client.rename(target.name, to: newName)
    }
}

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Print what an instance has written.",
        discussion: """
            Example:
              godwit logs db
            """)

    @OptionGroup var target: InstanceArgument
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try Output.say(bytes: await connection.client.log(target.name))
    }
}
