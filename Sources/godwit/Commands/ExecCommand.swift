import API
import ArgumentParser
import Foundation
import LinuxHost
import MigrationCore

struct ExecCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command in an instance.",
        discussion: """
            Standard input, output and error are the command's; its exit status is this program's
            (128 + signal if it was killed).

            Examples:
              godwit exec db -- redis-cli ping
              godwit exec db --user 1000 --cwd /srv -- ls -l
              tar -c . | godwit exec db -- tar -x -C /srv
            """)

    @OptionGroup var target: InstanceArgument
    @Argument(parsing: .postTerminator, help: "The command and its words.")
    var command: [String]
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("An environment variable; repeatable.", valueName: "name=value"))
    var env: [String] = []
    @Option(help: "The command's working directory.") var cwd: String?
    @Option(help: ArgumentHelp("Ids inside, UID or UID:GID.", valueName: "uid[:gid]"))
    var user: UserSpecification?
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if command.isEmpty { throw ValidationError("write the command after --") }
        if let wrong = env.first(where: { !$0.contains("=") || $0.hasPrefix("=") }) {
            throw ValidationError("--env \"\(wrong)\" is not NAME=VALUE")
        }
    }

    var environment: [String: String] {
        let pairs = env.map { variable in
            let parts = variable.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), String(parts[1]))
        }
        return Dictionary(pairs) { _, last in last }
    }

    func run() async throws {
        let status = try await connection.client.execute(
            command, environment: environment, workingDirectory: cwd, userID: user?.user,
            groupID: user?.group, in: target.name, input: standardInput(),
            output: { try Output.say(bytes: $0) }, errorOutput: { try Output.complain(bytes: $0) })
        throw ExitCode(status)
    }
}

/// This program's standard input. It looks up ten times a second whether it is still wanted,
/// because a read of a terminal cannot be called off.
private func standardInput() -> AsyncStream<[UInt8]> {
    AsyncStream(unfolding: {
        while !Task.isCancelled {
            do {
                guard let bytes = try await blocking(readInput) else { continue }
                return bytes.isEmpty ? nil : bytes
            } catch {
                // What cannot be read is at its end.
                return nil
            }
        }
        return nil
    })
}

/// Nil if nothing came within 100 ms; empty at the end.
private func readInput() throws -> [UInt8]? {
    var entry = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    // SAFETY: one entry is given and counted; it lives until the call returns.
    guard unsafe poll(&entry, 1, 100) != 0 else { return nil }
    return try standardInputDescriptor.read(upTo: 65_536)
}

/// Never closed: it is the program's.
private let standardInputDescriptor = Descriptor(taking: STDIN_FILENO)
