import ArgumentParser
package import MigrationCore

/// What a command line is read as, before anything is asked of a daemon.
package enum Reading {
    /// Why the words are refused, as standard error would show it, and the exit status; nil if they
    /// are a command.
    package static func refusal(_ words: [String]) -> (text: String, status: Int32)? {
        do {
            _ = try Godwit.parseAsRoot(words)
            return nil
        } catch {
            return (Godwit.fullMessage(for: error), Godwit.exitCode(for: error).rawValue)
        }
    }

    package static func launch(_ words: [String]) throws -> LaunchRequest {
        let launch = try command(LaunchCommand.self, words)
        return try launch.request(from: launch.path ?? .image(ImageName(launch.image)))
    }

    package static func move(
        _ words: [String]
    ) throws -> (request: MoveRequest, isDryRun: Bool) {
        let command = try command(MoveCommand.self, words)
        return (try command.request(), command.isDryRun)
    }

    package static func exec(
        _ words: [String]
    ) throws -> (command: [String], environment: [String: String], user: UInt32?) {
        let exec = try command(ExecCommand.self, words)
        return (exec.command, exec.environment, exec.user?.user)
    }

    /// The texts of `--help` beside the options, for each command that people see, by its name.
    package static var discussions: [String: String] {
        var texts: [String: String] = [:]
        var pending: [any ParsableCommand.Type] = [Godwit.self]
        while let command = pending.popLast() {
            pending += command.configuration.subcommands
            guard command.configuration.subcommands.isEmpty,
                command.configuration.shouldDisplay
            else { continue }
            texts[command._commandName] = command.configuration.discussion
        }
        return texts
    }

    private static func command<Command: ParsableCommand>(
        _ type: Command.Type, _ words: [String]
    ) throws -> Command {
        guard let command = try Godwit.parseAsRoot(words) as? Command else {
            throw ValidationError("another command than \(type)")
        }
        return command
    }
}
