import ArgumentParser
import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// Hosts on one machine, and what is shown on them. Needs root.
@main
struct Main: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lab",
        abstract: "Two real hosts on this machine, joined by a switch, with a client beside them.",
        subcommands: [
            DemoCommand.self, BenchCommand.self, VerifyCommand.self, UpCommand.self,
            DownCommand.self, EnterCommand.self,
            WitnessCommand.self, SummaryCommand.self, OracleCommand.self, AskCommand.self,
            TrackersCommand.self, MakeProgramCommand.self, JudgeCommand.self,
            NetworkCommand.self, ClientsCommand.self, LeaksCommand.self, TutorialCommand.self,
            StatesCommand.self, StorageCommand.self, ConformanceCommand.self,
        ]
    )
}

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Bring hosts a and b up, with their daemons, to stay.")

    @Flag(help: "Leave the daemons to you.") var noDaemons = false

    func run() async throws {
        let lab = try await Lab.up(hosts: ["a", "b"], outlivesCaller: true)
        if !noDaemons { try await lab.startDaemons() }
        print("lab \(lab.id) is up: hosts a (10.77.0.1) and b (10.77.0.2), client (10.77.0.9)")
        print("  lab enter a -- \(lab.settings.godwit) list")
        print("  lab down")
    }
}

struct DownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Take down every lab on this machine, whoever uses it.")

    func run() async throws {
        for id in Lab.all() {
            try await Lab.down(id: id)
            print("lab \(id) is gone")
        }
    }
}

struct EnterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enter", abstract: "Run a command on a host of the lab, or on the client.")

    @Argument(help: "a, b or client.") var node: String
    @Argument(parsing: .postTerminator) var command: [String] = []

    func run() async throws {
        guard let id = Lab.all().last else { throw ValidationError("no lab is up: `lab up`") }
        let lab = try Lab.find(id: id)
        guard let place = (lab.hosts + [lab.client]).first(where: { $0.name == node }) else {
            throw ValidationError("the lab has no node \(node)")
        }
        let result = try await place.run(command.isEmpty ? ["ip", "address"] : command)
        print(result.text, terminator: "")
        FileHandle.standardError.write(Data(result.errorOutput))
        throw ExitCode(result.status.number)
    }
}
