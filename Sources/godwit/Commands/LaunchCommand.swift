import API
import ArgumentParser
import Foundation
import MigrationCore

struct LaunchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "launch",
        abstract: "Make an instance from an image or a root filesystem and start it.",
        discussion: """
            IMAGE is the name of an image that was imported (`godwit image list`), or the beginning
            of its digest. With a slash in it, it is the path of a directory, a tar archive or an
            OCI image layout on the daemon's host.

            Examples:
              godwit launch redis cache --bridge br0 --address 10.0.0.4/24
              godwit launch /images/redis db --bridge br0 --address 10.0.0.5/24 --gateway 10.0.0.1
              godwit launch ./debian.tar shell --memory 512MiB --cpus 1.5 -- /bin/sleep infinity
              godwit launch ./web web --network bridge=br0,address=10.0.0.6/24 \\
                --network bridge=br1,address=fd00::6/64,hwaddr=10:66:6a:00:00:06
            """)

    @Argument(help: "An image, or a path with a slash.", completion: .file()) var image: String
    @Argument(help: "The new instance's name.", transform: Read.instance) var name: InstanceName
    @Argument(
        parsing: .postTerminator, help: "The first process; left out, the image says it.")
    var command: [String] = []

    @OptionGroup var limiting: LimitOptions
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("An environment variable; repeatable.", valueName: "name=value"))
    var env: [String] = []
    @Option(help: ArgumentHelp("Ids inside, UID or UID:GID.", valueName: "uid[:gid]"))
    var user: UserSpecification?
    @Option(help: "The first process's working directory.") var workdir: String?
    @Flag(help: "Without a user namespace: root inside is root on the host.") var privileged = false
    @Option(help: "The bridge of its one interface.") var bridge: String?
    @Option(
        parsing: .singleValue,
        help: "An address with prefix length for --bridge; repeatable.")
    var address: [String] = []
    @Option(parsing: .singleValue, help: "A default gateway for --bridge; one a family.")
    var gateway: [String] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "An interface, parent=P for a macvlan; repeatable, as are address, gateway and "
                + "route in it. Or none.",
            valueName: "bridge=B,address=A[,gateway=G][,route=N@G][,mtu=M][,hwaddr=H]"))
    var network: [NetworkSpecification] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A port of the host that leads to one of its own; repeatable.",
            valueName: "[address:]hostport:port[/udp]"))
    var publish: [PortSpecification] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A path of the host that it sees; a move says what becomes of it (--mount there).",
            valueName: "host:path[:ro]"))
    var mount: [MountSpecification] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A volume that it sees (`godwit volume create`); repeatable.",
            valueName: "[pool/]name:path[:ro]"))
    var volume: [VolumeSpecification] = []
    @Option(help: "The pool for its root volume.") var pool = "default"
    @Flag(name: .customLong("no-start"), help: "Only make it.") var noStart = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if bridge == nil, !address.isEmpty || !gateway.isEmpty {
            throw ValidationError("--address and --gateway need --bridge, or use --network")
        }
        if network.contains(where: { $0.request == nil }), network.count > 1 || bridge != nil {
            throw ValidationError("--network none allows no other interface")
        }
        if let wrong = env.first(where: { !$0.contains("=") || $0.hasPrefix("=") }) {
            throw ValidationError("--env \"\(wrong)\" is not NAME=VALUE")
        }
    }

    /// Nil for a word without a slash.
    var path: RootSource? { image.contains("/") ? .path(absolute(image)) : nil }

    /// What such a word names: an image, else what is called so in the working directory.
    private func found() async throws -> RootSource {
        do {
            let name = try ImageName(image)
            _ = try await connection.client.image(name)
            return .image(name)
        } catch let error as GodwitError where [.notFound, .badRequest].contains(error.code) {
            if FileManager.default.fileExists(atPath: image) { return .path(absolute(image)) }
            throw GodwitError(
                error.code, "\(error.message), and there is no file \(image) here",
                remedy: error.remedy)
        }
    }

    private var mounts: [MountDefinition] { mount.map(\.definition) + volume.map(\.definition) }

    func request(from root: RootSource) -> LaunchRequest {
        var interfaces = network.compactMap(\.request)
        if let bridge {
            let first = InterfaceRequest(bridge: bridge, addresses: address, gateways: gateway)
            interfaces.insert(first, at: 0)
        }
        return LaunchRequest(
            name: name, root: root, command: command, environment: env,
            workingDirectory: workdir, userID: user?.user, groupID: user?.group,
            limits: limiting.limits,
            isPrivileged: privileged, interfaces: interfaces, mounts: mounts,
            ports: publish.map(\.definition), pool: pool, starts: !noStart)
    }

    func run() async throws {
        let root: RootSource
        if let path { root = path } else { root = try await found() }
        try await connection.client.launch(request(from: root))
        Output.say("\(name) \(noStart ? "is made" : "runs")")
    }
}
