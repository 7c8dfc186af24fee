import ArgumentParser
import Foundation
import LinuxHost
import MigrationCore

/// `godwit daemon`: the one process of a host that keeps its instances and moves them.
struct DaemonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daemon",
        abstract: "Keep this host's instances, and move them to and from other hosts.",
        discussion: """
            Runs in the foreground until SIGTERM; packaging/godwit.service lets systemd start it.
            Instances go on running while it is away.

              godwit daemon --listen 192.0.2.10:7443
              godwit daemon --pool fast=/srv/fast --id-range 2000000:65536
            """
    )

    @Option(help: "How this host calls itself towards others.")
    var name = ProcessInfo.processInfo.hostName.prefix { $0 != "." }.description

    @Option(help: "Where other hosts connect to, ADDRESS:PORT.")
    var listen = "0.0.0.0:7443"

    @Option(help: "ADDRESS:PORT under which others reach this host, if --listen does not say it.")
    var advertise: [String] = []

    @Option(help: "Durable state: database, identity, default pool, logs.")
    var stateDirectory = "/var/lib/godwit"

    @Option(help: "A tmpfs for sockets, bundles and process images.")
    var runDirectory = "/run/godwit"

    @Option(help: "The control group above the instances'.")
    var cgroupParent = "godwit"

    @Option(help: "The criu program.")
    var criu = Daemon.Settings.defaultCRIU

    @Option(help: "The OCI runtime.")
    var runc = "runc"

    @Option(help: "A further pool, NAME=DIRECTORY.")
    var pool: [String] = []

    @Option(help: "Host ids of instances that are not privileged, START:COUNT.")
    var idRange = "1000000:65536"

    func run() async throws {
        let pools = try pool.map(Self.pool)
        let settings = Daemon.Settings(
            name: name,
            listen: try ListenAddress(listen),
            advertised: advertise,
            stateDirectory: stateDirectory,
            runDirectory: runDirectory,
            cgroupParent: cgroupParent,
            criu: criu,
            runc: runc,
            pools: Dictionary(pools, uniquingKeysWith: { _, last in last }),
            idMap: try Self.idMap(idRange)
        )
        try await Daemon(settings).run()
    }

    private static func pool(_ text: String) throws -> (String, String) {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, parts[1].hasPrefix("/") else {
            throw ValidationError("--pool takes NAME=DIRECTORY with an absolute path, not \(text)")
        }
        return (parts[0], parts[1])
    }

    private static func idMap(_ text: String) throws -> IDMap {
        let numbers = text.split(separator: ":").compactMap { UInt32($0) }
        guard numbers.count == 2, numbers[1] >= 65_536, UInt32.max - numbers[0] >= numbers[1] else {
            throw ValidationError("--id-range takes START:COUNT with a count of 65536 or more")
        }
        return IDMap(hostStart: numbers[0], count: numbers[1])
    }
}

/// `address:port`, with IPv6 addresses in brackets.
struct ListenAddress: Equatable {
    let host: String
    let port: Int

    init(_ text: String) throws {
        guard let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port)
        else { throw ValidationError("--listen takes ADDRESS:PORT, not \(text)") }
        self.port = port
        host = text[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    }

    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    var isUnspecified: Bool { host == "0.0.0.0" || host == "::" }
}
