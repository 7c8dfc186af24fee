import API
import ArgumentParser
import MigrationCore

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Show what this host can and cannot do.",
        discussion: """
            Exit status 2 if something keeps this host from moving instances.

            Example:
              godwit check
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: FormatOptions

    func run() async throws {
        let check = try await connection.client.check()
        try output.say(check) { checkText($0, style: .forOutput) }
        if check.findings.contains(where: { $0.weight == .refusal }) {
            throw ExitCode(GodwitError.Code.refused.exitStatus)
        }
    }
}

struct RemoteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remote", abstract: "The hosts that instances can move to.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add a host with the token that `godwit trust add` printed there.",
            discussion: """
                Example:
                  godwit remote add host-b TOKEN
                """)

        @Argument(help: "How it is called here.", transform: Read.remote) var name: RemoteName
        @Argument(help: "The one-time token.") var token: String
        @OptionGroup var connection: ConnectionOptions

        func run() async throws {
            try await connection.client.addRemote(name, token: token)
            Output.say("\(name) is a remote now; it trusts this host and this host trusts it")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the remotes.",
            discussion: """
                Example:
                  godwit remote list
                """)

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let remotes = try await connection.client.remotes()
            try output.say(remotes, as: remotesText)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a remote.",
            discussion: """
                Example:
                  godwit remote remove host-b
                """)

        @Argument(
            help: "The remote's name.", completion: Completion.remotes, transform: Read.remote)
        var name: RemoteName
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.removeRemote(name) }
    }
}

struct TrustCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust", abstract: "The hosts that may move instances to this one.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a one-time token for another host, valid for one hour.",
            discussion: """
                Give the token to `godwit remote add` on the other host.

                Example:
                  godwit trust add host-a
                """)

        @Argument(help: "How the other host is called here.", transform: Read.remote)
        var name: RemoteName
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let token = try await connection.client.addTrust(name)
            switch output.format {
            case .table: Output.say(token)
            case .json: try Output.say(json: ["name": name.text, "token": token])
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the trusted hosts.",
            discussion: """
                Example:
                  godwit trust list
                """)

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let peers = try await connection.client.trusted()
            try output.say(peers, as: trustText)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Trust a host no longer.",
            discussion: """
                Example:
                  godwit trust remove host-a
                """)

        @Argument(help: "The host's name.", transform: Read.remote) var name: RemoteName
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.removeTrust(name) }
    }
}
