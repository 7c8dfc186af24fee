import API
import ArgumentParser
import MigrationCore

struct PoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool", abstract: "Where the instances' files are kept.",
        subcommands: [Create.self, List.self, Info.self, Grow.self, Delete.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a pool.",
            discussion: """
                Drivers: \(PoolKind.allCases.map(\.rawValue).joined(separator: ", "));
                docs/storage.md tells what each needs. Options:

                  source=…  what the pool stands on: a directory, a block device, a volume
                            group, a dataset; left out, a place below the state directory
                  size=…    of a filesystem that is made in a file, such as 20GiB

                Example:
                  godwit pool create fast directory source=/srv/fast
                """)

        @Argument(help: "The pool's name; moves go to the pool of the same name.")
        var name: String
        @Argument(help: "How volumes are kept.", transform: PoolOptions.kind) var driver: PoolKind
        @Argument(help: "source=…, size=…") var options: [String] = []
        @OptionGroup var connection: ConnectionOptions

        var definition: PoolDefinition {
            get throws {
                try PoolOptions.definition(name: name, kind: driver, options: options)
            }
        }

        func validate() throws { _ = try definition }

        func run() async throws {
            try await connection.client.createPool(try definition)
            Output.say("the pool \(name) is made; use it with `godwit launch --pool \(name)`")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the pools.",
            discussion: """
                Example:
                  godwit pool list
                """)

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let pools = try await connection.client.pools()
            switch output.format {
            case .table: Output.say(poolsText(pools))
            case .json: try Output.say(json: pools)
            }
        }
    }

    struct Info: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a pool.",
            discussion: """
                Example:
                  godwit pool info default
                """)

        @Argument(help: "The pool's name.") var name: String
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let pool = try await connection.client.pool(name)
            switch output.format {
            case .table: Output.say(poolText(pool))
            case .json: try Output.say(json: pool)
            }
        }
    }

    struct Grow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a pool in a file more room.",
            discussion: """
                Example:
                  godwit pool grow fast 50GiB
                """)

        @Argument(help: "The pool's name.") var name: String
        @Argument(help: "Its new size.", transform: Read.size) var size: ByteCount
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.growPool(name, to: size) }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a pool without instances, and what was made for it.",
            discussion: """
                Example:
                  godwit pool delete fast
                """)

        @Argument(help: "The pool's name.") var name: String
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.deletePool(name) }
    }
}
