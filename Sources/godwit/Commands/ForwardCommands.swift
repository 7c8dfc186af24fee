import API
import ArgumentParser
import MigrationCore

struct ForwardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forward",
        abstract: "Show or end traffic that follows moved instances (move --forward).",
        subcommands: [List.self, End.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what is forwarded from this host and to it.",
            discussion: """
                Example:
                  godwit forward list
                """)

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let forwards = try await connection.client.forwards()
            try output.say(forwards, as: forwardsText)
        }
    }

    struct End: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End it now, on this host.",
            discussion: """
                Where the instance is, its interfaces become ports of this host's own bridges. End
                it on the other host as well, or wait until its time is over there.

                Example:
                  godwit forward end web
                """)

        @OptionGroup var target: InstanceArgument
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.endForward(target.name) }
    }
}
