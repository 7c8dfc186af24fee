import API
import ArgumentParser
import Foundation
import MigrationCore

struct SnapshotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Keep an instance's files as they are now.",
        discussion: """
            One that runs goes on; in a pool that copies (directory) it stands still while the
            last changes are copied, and the answer says for how long. `godwit info` lists what
            is there, `godwit restore` goes back to it.

            Examples:
              godwit snapshot db
              godwit snapshot db before-upgrade --expires 7d
              godwit snapshot db --stateful
            """)

    @OptionGroup var target: InstanceArgument
    @Argument(
        help: "The snapshot's name; left out: snap0, snap1, …", transform: Read.snapshot)
    var snapshot: SnapshotName?
    @Option(
        help: ArgumentHelp(
            "When it is deleted by itself: 600, 10m, 2h or 7d from now.", valueName: "duration"),
        transform: Read.expiry)
    var expires: UInt32?
    @Flag(help: "With the state of its processes, which go on from it after a restore.")
    var stateful = false
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let moment = expires.map { seconds in
            Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 + Double(seconds)) * 1000))
        }
        let request = SnapshotRequest(
            instance: target.name, name: snapshot, expires: moment, isStateful: stateful)
        let made = try await connection.client.createSnapshot(request)
        let pause = made.pauseMilliseconds.map { "; it stood still for \(millisecondsText($0))" }
        Output.say("\(target.name)/\(made.name) is made\(pause ?? "")")
    }
}

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make an instance's files what they were.",
        discussion: """
            What has been written since is lost. An instance that runs is killed. From a stateful
            snapshot its processes go on where they stood; else one that ran is started anew
            from the restored files. Its other snapshots stay.

            Examples:
              godwit restore db before-upgrade
              godwit restore db snap0 --stateless
            """)

    @OptionGroup var target: InstanceArgument
    @Argument(help: "The snapshot's name.", transform: Read.snapshot) var snapshot: SnapshotName
    @Flag(help: "Its files alone: a stateful one is as any other.") var stateless = false
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        try await connection.client.restoreSnapshot(
            snapshot, of: target.name, isStateless: stateless)
    }
}

struct CopyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Make a new, stopped instance of another one or a snapshot.",
        discussion: """
            It has hardware addresses of its own. Addresses and published ports can be had by
            one instance only, so it has to be said what becomes of them.

            Examples:
              godwit copy db db2 --address 10.0.0.21/24
              godwit copy db/snap0 trial --no-address
            """,
        aliases: ["cp"])

    @Argument(
        help: ArgumentHelp("The instance, or one of its snapshots.", valueName: "name[/snap]"),
        completion: Completion.instances, transform: Read.snapshotPath)
    var source: SnapshotPath
    @Argument(help: "The new instance's name.", transform: Read.instance) var newName: InstanceName
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "An address of its first interface; repeatable. It publishes no ports.",
            valueName: "address/prefix"))
    var address: [String] = []
    @Flag(name: .customLong("no-address"), help: "No addresses and published ports.")
    var hasNone = false
    @Flag(
        name: .customLong("keep-addresses"),
        help: "The source's addresses and published ports: only one of both can run.")
    var keepsAddresses = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard [!address.isEmpty, hasNone, keepsAddresses].count(where: { $0 }) < 2 else {
            throw ValidationError("--address, --no-address and --keep-addresses exclude each other")
        }
    }

    var request: CopyRequest {
        CopyRequest(
            source: source, newName: newName,
            addresses: address.isEmpty && !hasNone ? nil : address, keepsAddresses: keepsAddresses)
    }

    func run() async throws {
        try await connection.client.copy(request)
        Output.say("\(newName) is made")
    }
}
