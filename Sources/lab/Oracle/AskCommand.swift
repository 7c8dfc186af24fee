import ArgumentParser

/// Asks an instance that answers in redis's manner for numbers, over one connection.
struct AskCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ask", shouldDisplay: false)

    @Argument var address: String
    @Argument var port: UInt16
    @Argument var words: [String]

    func run() throws {
        var connection = try RedisConnection(address: address, port: port)
        for word in words { print(try connection.number(for: [word], seconds: 60)) }
    }
}
