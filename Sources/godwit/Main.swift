import ArgumentParser

@main
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "godwit", subcommands: [MonitorCommand.self, HookCommand.self])
}
