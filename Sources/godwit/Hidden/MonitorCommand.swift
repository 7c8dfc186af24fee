import ArgumentParser
import Instances

/// The process beside each running instance; the daemon starts it.
struct MonitorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor", abstract: "Keep an instance's log and exit status.",
        shouldDisplay: false)

    @Argument(help: "start, restore or receive") var action: Monitor.Action
    @Argument(help: "The instance's runtime record.") var record: String

    @Option(help: "How many streams the memory arrives on.") var streams = 0

    func run() async throws { try await Monitor.run(action, record: record, streams: streams) }
}

extension Monitor.Action: ExpressibleByArgument {}
