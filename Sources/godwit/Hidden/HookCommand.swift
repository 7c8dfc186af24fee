import ArgumentParser
import Instances

/// What runc calls while it makes or restores an instance.
struct HookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hook", abstract: "Do runc's bidding.", shouldDisplay: false,
        subcommands: [Network.self])

    struct Network: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a new network namespace its interfaces.", shouldDisplay: false)

        @Argument(help: "The instance's runtime record.") var record: String

        func run() async throws { try await NetworkHook.run(record: record) }
    }
}
