import ArgumentParser
import Foundation
import MigrationCore

@main
enum Main {
    static func main() async {
        do {
            var command = try await Godwit.asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as GodwitError {
            Output.complain(errorText(error, style: .forErrors))
            exit(error.code.exitStatus)
        } catch {
            Godwit.exit(withError: error)
        }
    }
}

struct Godwit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "godwit",
        abstract: "Move running containers to other hosts.",
        discussion: """
            Examples:
              godwit launch /images/redis db --bridge br0 --address 10.0.0.5/24
              godwit move db host-b: --dry-run
              godwit move db host-b:
              godwit migrations db

            Exit status: 0 done, 2 refused before anything changed, 3 a person must decide
            (godwit resolve), 64 wrong use, 65 not in the state for it, 66 not found, 68 no daemon,
            75 link lost or timed out, 130 cancelled; the others are in docs/errors.md.
            """,
        version: "godwit \(programVersion)",
        subcommands: [
            LaunchCommand.self,
            ListCommand.self,
            InfoCommand.self,
            StartCommand.self,
            StopCommand.self,
            RestartCommand.self,
            PauseCommand.self,
            ResumeCommand.self,
            DeleteCommand.self,
            RenameCommand.self,
            SnapshotCommand.self,
            ScheduleCommand.self,
            ExpireCommand.self,
            RestoreCommand.self,
            CopyCommand.self,
            ExecCommand.self,
            LogsCommand.self,
            MoveCommand.self,
            MigrationsCommand.self,
            MigrationCommand.self,
            ForwardCommand.self,
            ImageCommand.self,
            PoolCommand.self,
            ResolveCommand.self,
            CheckCommand.self,
            RemoteCommand.self,
            TrustCommand.self,
            VolumeCommand.self,
            VersionCommand.self,
            DaemonCommand.self,
            MonitorCommand.self,
        ])
}

struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print this program's version.")

    func run() async throws { Output.say("godwit \(programVersion)") }
}

let programVersion = "0.1.0"
