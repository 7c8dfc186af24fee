import API
import Engine
import Foundation
import Instances
import LinuxHost
import Logging
import MigrationCore
import NIOPosix
import ServiceLifecycle
import Storage
import UnixSignals
import Wire

/// The only place where drivers meet the engine, and the engine the API and the wire.
struct Daemon {
    struct Settings {
        static let defaultCRIU = "/usr/local/libexec/godwit/criu"

        var name: String
        var listen: ListenAddress
        var advertised: [String]
        var stateDirectory: String
        var runDirectory: String
        var cgroupParent: String
        var criu: String
        var runc: String
        /// Directories of further pools by name.
        var pools: [String: String]
        var idMap: IDMap

        /// The one that is always there, and those of the command line.
        var givenPools: [PoolDefinition] {
            let named = pools.sorted { $0.key < $1.key }.map {
                PoolDefinition(name: $0.key, kind: .directory, source: $0.value)
            }
            guard pools["default"] == nil else { return named }
            return [PoolDefinition(name: "default", kind: .directory)] + named
        }

        var addresses: [String] {
            if !advertised.isEmpty { return advertised }
            return listen.isUnspecified ? ["\(name):\(listen.port)"] : [listen.text]
        }
    }

    private let settings: Settings
    private let logger: Logger

    init(_ settings: Settings) {
        self.settings = settings
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        logger = Logger(label: "godwit")
    }

    /// Runs until SIGTERM or SIGINT; then migrations are cancelled or finished, never torn.
    func run() async throws {
        LargeBuffers.keep()
        let lock = try await StateLock(directory: settings.stateDirectory)
        try Directories.make(settings.runDirectory, mode: 0o711)
        let events = EventHub()
        let identity = try HostIdentity.load(
            from: settings.stateDirectory, hostName: settings.name)
        let store = try StateStore(directory: settings.stateDirectory)
        let host = try await service(identity, store, events)
        let server = APIServer(
            control: host,
            events: events,
            socketPath: "\(settings.runDirectory)/godwit.socket",
            remote: try remoteListener(identity, store, host),
            logger: logger,
            onReady: { [logger, settings] _ in
                logger.info("ready", metadata: ["listen": "\(settings.listen.text)"])
                ServiceManager.notify("READY=1")
            }
        )
        let group = ServiceGroup(
            services: [HostRun(host: host), server],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        try await group.run()
        withExtendedLifetime(lock) {}
    }

    private func service(
        _ identity: HostIdentity, _ store: StateStore, _ events: EventHub
    ) async throws -> HostService {
        let driver = OCIDriver(
            OCIConfiguration(
                runDirectory: settings.runDirectory,
                stateDirectory: settings.stateDirectory,
                runcPath: settings.runc,
                criuPath: settings.criu,
                cgroupParent: settings.cgroupParent,
                executable: try ownProgram()
            ),
            obstacles: { ObstacleScan.obstacles(of: $0) }
        )
        let maker = PoolMaker(stateDirectory: settings.stateDirectory)
        let pools = try await PoolRegistry.open(
            given: settings.givenPools, remembered: store, by: maker, logger: logger)
        return HostService(
            configuration: HostConfiguration(
                name: settings.name,
                version: programVersion,
                fingerprint: identity.fingerprint,
                addresses: settings.addresses,
                idMap: settings.idMap
            ),
            store: store,
            drivers: [.oci: driver],
            pools: pools,
            poolMaker: maker,
            states: StateFiles(directory: "\(settings.stateDirectory)/states"),
            importer: RootImporter(),
            imageStore: try await ImageStore.open(
                directory: "\(settings.stateDirectory)/images"),
            facts: HostFactsReader(
                criu: settings.criu, runtimes: [settings.runc], idRange: settings.idMap),
            checks: Checks.all,
            dialer: try Dialer(
                identity: identity, directory: KnownPeers(in: store),
                group: MultiThreadedEventLoopGroup.singleton),
            events: { publish($0, to: events) },
            logger: logger,
            ownFindings: Checks.hostFindings
        )
    }

    private func remoteListener(
        _ identity: HostIdentity, _ store: StateStore, _ host: HostService
    ) throws -> RemoteListener {
        let listener = try PeerListener(
            identity: identity, directory: KnownPeers(in: store), acceptor: host, logger: logger,
            redeem: { try await host.redeem($0) }
        )
        return RemoteListener(
            host: settings.listen.host,
            port: settings.listen.port,
            secure: { try listener.secure($0) },
            admit: { channel, applicationProtocol in
                switch await listener.admit(channel, applicationProtocol: applicationProtocol) {
                case .http(let peer): .http(peer)
                case .refuse where applicationProtocol == nil: .refuse
                case let admission: .other { await listener.serve($0, as: admission) }
                }
            }
        )
    }

    private func ownProgram() throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }
}

/// The engine as a service of the group: told to stop, it ends its migrations first.
private struct HostRun: Service {
    let host: HostService

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await host.run()
        } onGracefulShutdown: {
            host.shutDown()
        }
    }
}

/// Requests of clients tell of themselves; what comes from another host, or ends later, tells here.
private func publish(_ event: HostEvent, to events: EventHub) {
    switch event {
    case .instance(let name, .movedAway, at: _):
        events.publishLifecycle("instance-moved-away", name)
    case .instance(let name, .arrived, at: _): events.publishLifecycle("instance-arrived", name)
    case .instance(let name, .snapshotExpired, at: _):
        events.publishLifecycle("instance-snapshot-deleted", name)
    case .instance: break
    case .migration(let report):
        events.publishLifecycle("instance-migration-\(report.status.rawValue)", report.instance)
    case .progress(let progress): events.publish(progress)
    }
}
