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
        let request = SnapshotRequest(
            instance: target.name, name: snapshot, expires: expires.map(moment(after:)),
            isStateful: stateful)
        let made = try await connection.client.createSnapshot(request)
        let pause = made.pauseMilliseconds.map { "; it stood still for \(millisecondsText($0))" }
        Output.say("\(target.name)/\(made.name) is made\(pause ?? "")")
    }
}

struct ExpireCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "expire", abstract: "Say until when a snapshot is kept.",
        discussion: """
            Examples:
              godwit expire db/before-upgrade 7d
              godwit expire db/before-upgrade never
            """)

    @Argument(
        help: ArgumentHelp("The snapshot.", valueName: "name/snap"),
        transform: Read.snapshotPath)
    var path: SnapshotPath
    @Argument(
        help: ArgumentHelp("600, 10m, 2h or 7d from now, or never.", valueName: "duration"),
        transform: Read.expiration)
    var keeping: Keeping
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        guard path.snapshot != nil else {
            throw ValidationError("write the snapshot as NAME/SNAP, see `godwit info \(path)`")
        }
    }

    func run() async throws {
        guard let snapshot = path.snapshot else { return }
        try await connection.client.setExpiry(
            keeping.seconds.map(moment(after:)), of: snapshot, of: path.instance)
    }
}

struct ScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule", abstract: "Have snapshots of an instance taken by themselves.",
        discussion: """
            While it runs, by its host's clock. The times are those of crontab: minute, hour, day
            of month, month, day of week. The schedule goes along with a move; `godwit info` shows
            it.

            Examples:
              godwit schedule db @daily --expires 7d
              godwit schedule db "*/30 8-18 * * 1-5" --expires 2d
              godwit schedule db none
            """)

    @OptionGroup var target: InstanceArgument
    @Argument(
        help: "Times as crontab has them, @hourly, @daily, @weekly, @monthly, @yearly, or none.",
        transform: Read.times)
    var times: ScheduledTimes
    @Option(
        help: ArgumentHelp(
            "For how long each is kept: 600, 10m, 2h or 7d.", valueName: "duration"),
        transform: Read.expiry)
    var expires: UInt32?
    @Flag(help: "With the state of its processes.") var stateful = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if times.times == nil, expires != nil || stateful {
            throw ValidationError("none ends the schedule: leave --expires and --stateful out")
        }
    }

    var schedule: SnapshotSchedule? {
        times.times.map {
            SnapshotSchedule(times: $0, keptSeconds: expires, isStateful: stateful)
        }
    }

    func run() async throws {
        try await connection.client.setSchedule(schedule, of: target.name)
    }
}

/// So many seconds from now.
private func moment(after seconds: UInt32) -> Timestamp {
    Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 + Double(seconds)) * 1000))
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
              godwit copy db host-b:db2 --address 10.0.0.21/24
            """,
        aliases: ["cp"])

    @Argument(
        help: ArgumentHelp("The instance, or one of its snapshots.", valueName: "name[/snap]"),
        completion: Completion.instances, transform: Read.snapshotPath)
    var source: SnapshotPath
    @Argument(
        help: ArgumentHelp(
            "The new instance's name, after a remote and a colon for one that gets it (then it "
                + "may be left out).",
            valueName: "[remote:]new-name"),
        transform: CopyDestination.init)
    var destination: CopyDestination
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
            source: source, newName: destination.newName ?? source.instance,
            addresses: address.isEmpty && !hasNone ? nil : address, keepsAddresses: keepsAddresses,
            remote: destination.remote)
    }

    func run() async throws {
        try await connection.client.copy(request)
        let place = destination.remote.map { " on \($0)" } ?? ""
        Output.say("\(request.newName) is made\(place)")
    }
}
