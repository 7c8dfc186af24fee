import Foundation
import LinuxHost
import MigrationCore

/// The host's ports that lead to an instance: a table of its own in nftables, and the connections
/// through it, which the kernel would translate no more without being told of them.
struct PublishedPorts: Sendable {
    private let definition: InstanceDefinition
    private let table: String
    private let files: InstanceFiles

    /// Nil for an instance that publishes none.
    init?(_ configuration: OCIConfiguration, _ definition: InstanceDefinition) {
        guard definition.ports?.isEmpty == false else { return nil }
        self.definition = definition
        files = configuration.files(of: definition.name)
        table =
            HostEnd(
                scope: configuration.cgroupParent, instance: definition.name, interface: "ports"
            ).name
    }

    /// Has them lead to the instance from now on; addresses that no interface of the host has yet
    /// are the host's own as long as it has the instance. Idempotent.
    ///
    /// - Throws: `toolFailed` if nftables refuses.
    func open() async throws {
        let rules = Nft.publish(definition, table: table)
        try await rules.command.check(input: Array(rules.input.utf8))
        let wanted = Set((definition.ports ?? []).compactMap(\.hostAddress))
        let known = floating.map(\.address)
        let new = try wanted.compactMap { NetworkAddress($0) }
            .filter { !known.contains("\($0)") }.compactMap(FloatingAddress.place)
        // Written first: an address that nobody takes away would stay.
        if !new.isEmpty {
            try SmallFile.replace(files.floating, with: try encodedJSON(floating + new))
        }
        try await claim()
    }

    /// Tells the neighbourhood again that the addresses which follow the instance are here.
    func claim() async throws {
        for address in floating { try await address.take() }
    }

    private var floating: [FloatingAddress] {
        guard let bytes = try? SmallFile.bytes(files.floating) else { return [] }
        return (try? JSONDecoder().decode([FloatingAddress].self, from: Data(bytes))) ?? []
    }

    /// They lead nowhere, and the kernel forgets the connections. Idempotent.
    func close() async throws {
        // First: what still comes here is on its way to nobody, and must not be answered by this
        // host, which knows no such connection.
        for address in floating { try await address.drop() }
        let rules = Nft.withdraw(table: table)
        try await rules.command.check(input: Array(rules.input.utf8))
        // Status 1 says that there were none.
        for address in addresses { _ = try await Conntrack.forget(to: address).run() }
    }

    /// The connections that go through them now.
    func connections() async throws -> [TranslatedConnection] {
        var found: [TranslatedConnection] = []
        for address in addresses {
            let text = try await Conntrack.list(to: address).run(limit: Self.listed).text
            found += Conntrack.connections(in: text).filter { $0.belongs(to: definition) }
        }
        return Array(found.prefix(Limit.connectionsKept))
    }

    /// Has the kernel translate connections that it has not seen. Those that are not the instance's
    /// are passed over, as are those that the kernel refuses.
    func adopt(_ connections: [TranslatedConnection]) async throws {
        let own = connections.prefix(Limit.connectionsKept)
            .filter { $0.belongs(to: definition) }
        guard !own.isEmpty else { return }
        let load = Conntrack.load(Array(own))
        _ = try await load.command.run(input: Array(load.input.utf8))
    }

    private var addresses: [NetworkAddress] {
        [false, true].compactMap { definition.publishedAddress(isVersion6: $0) }
    }

    /// A line takes less than 256 bytes.
    private static let listed = ByteCount(bytes: UInt64(Limit.connectionsKept) * 256)
}

extension OCIDriver {
    func publishedPorts(_ definition: InstanceDefinition) -> PublishedPorts? {
        PublishedPorts(configuration, definition)
    }

    /// Source: puts the connections through published ports beside the images of the instance that
    /// stands still. Without them they may break, which is no reason for the move to fail.
    func keepConnections(_ definition: InstanceDefinition) async -> [UInt8]? {
        guard let ports = publishedPorts(definition), let found = try? await ports.connections()
        else { return nil }
        // Without line breaks: as many as may be kept fit into what is read of a file.
        return try? Array(JSONEncoder().encode(found))
    }

    /// Target: opens the ports, unless the hold has, and has the connections go on.
    func openPorts(_ definition: InstanceDefinition, images: String) async throws {
        guard let ports = publishedPorts(definition) else { return }
        if packetHolds.of(definition.name) == nil { try await ports.open() }
        guard let bytes = try? SmallFile.bytes("\(images)/\(Self.connectionsFile)"),
            let known = try? JSONDecoder().decode([TranslatedConnection].self, from: Data(bytes))
        else { return }
        try? await ports.adopt(known)
    }

    /// Its name in a checkpoint.
    static let connectionsFile = "connections.json"
}
