/// An instance's volume as it was at one moment.
package struct Snapshot: Codable, Equatable, Sendable {
    package var name: SnapshotName
    /// The moment.
    package var created: Timestamp
    /// When it is deleted; nil for never.
    package var expires: Timestamp?
    /// Whether the state of its processes is in it as well.
    package var isStateful: Bool
    /// What that takes.
    package var stateBytes: ByteCount?
    /// For how long the instance stood still for it; nil where it did not.
    package var pauseMilliseconds: Double?

    package init(
        name: SnapshotName, created: Timestamp, expires: Timestamp? = nil,
        isStateful: Bool = false, pauseMilliseconds: Double? = nil
    ) {
        self.name = name
        self.created = created
        self.expires = expires
        self.isStateful = isStateful
        self.pauseMilliseconds = pauseMilliseconds
    }
}

/// A snapshot as `GET /1.0/instances/NAME/snapshots/SNAP` shows it.
package struct SnapshotView: Codable, Equatable, Sendable {
    package var snapshot: Snapshot
    /// The instance's, as it was then.
    package var definition: InstanceDefinition

    package init(snapshot: Snapshot, definition: InstanceDefinition) {
        self.snapshot = snapshot
        self.definition = definition
    }
}

package struct SnapshotRequest: Codable, Equatable, Sendable {
    package var instance: InstanceName
    /// Nil: the next of `snap0`, `snap1`, …
    package var name: SnapshotName?
    package var expires: Timestamp?
    /// With the state of its processes, which go on from it after a restore.
    package var isStateful: Bool

    package init(
        instance: InstanceName, name: SnapshotName? = nil, expires: Timestamp? = nil,
        isStateful: Bool = false
    ) {
        self.isStateful = isStateful
        self.instance = instance
        self.name = name
        self.expires = expires
    }
}

/// When snapshots of an instance are taken by themselves: while it runs, by the clock of its host.
package struct SnapshotSchedule: Codable, Equatable, Sendable {
    package var times: CronTimes
    /// For how long each is kept; nil for ever.
    package var keptSeconds: UInt32?
    /// With the state of its processes.
    package var isStateful: Bool

    package init(times: CronTimes, keptSeconds: UInt32? = nil, isStateful: Bool = false) {
        self.times = times
        self.keptSeconds = keptSeconds
        self.isStateful = isStateful
    }
}

/// A new instance that is made of one that is there.
package struct CopyRequest: Codable, Equatable, Sendable {
    package var source: InstanceName
    /// Nil: as the source is now.
    package var snapshot: SnapshotName?
    package var newName: InstanceName
    /// Those of its first interface, with their prefix length; it has no others and publishes no
    /// ports. Nil only where the source has none either, or its own are kept.
    package var addresses: [String]?
    /// It has the addresses and published ports of the source, so that only one of both can run.
    package var keepsAddresses: Bool
    /// The host that gets it; nil for this one.
    package var remote: RemoteName?

    package init(
        source: SnapshotPath, newName: InstanceName, addresses: [String]? = nil,
        keepsAddresses: Bool = false, remote: RemoteName? = nil
    ) {
        self.remote = remote
        self.source = source.instance
        snapshot = source.snapshot
        self.newName = newName
        self.addresses = addresses
        self.keepsAddresses = keepsAddresses
    }
}

/// `INSTANCE`, or `INSTANCE/SNAPSHOT`.
package struct SnapshotPath: Hashable, Sendable, CustomStringConvertible {
    package var instance: InstanceName
    package var snapshot: SnapshotName?

    package init(instance: InstanceName, snapshot: SnapshotName? = nil) {
        self.instance = instance
        self.snapshot = snapshot
    }

    package init(_ text: String) throws(GodwitError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        instance = try InstanceName(parts.first.map(String.init) ?? "")
        if parts.count > 1 { snapshot = try SnapshotName(String(parts[1])) }
    }

    package var description: String { instance.text + (snapshot.map { "/\($0)" } ?? "") }
}

extension CopyRequest {
    package var path: SnapshotPath { SnapshotPath(instance: source, snapshot: snapshot) }

    /// The copy's definition, but for its hardware addresses and its time.
    ///
    /// - Throws: `badRequest` where it would have what only one instance can have.
    package func definition(of source: InstanceDefinition) throws(GodwitError) -> InstanceDefinition
    {
        var copy = source
        copy.name = newName
        for index in copy.interfaces.indices {
            copy.interfaces[index].cable = nil
            copy.interfaces[index].cableEnds = nil
        }
        if keepsAddresses { return copy }
        let hasOwn =
            copy.interfaces.contains { !$0.addresses.isEmpty } || !(copy.ports ?? []).isEmpty
        guard let addresses else {
            guard !hasOwn else { throw ambiguous }
            return copy
        }
        copy.ports = nil
        for index in copy.interfaces.indices {
            copy.interfaces[index].addresses = index == 0 ? addresses : []
            guard copy.interfaces[index].addresses.isEmpty else { continue }
            // Ways that begin nowhere.
            copy.interfaces[index].gateways = []
            copy.interfaces[index].routes = nil
        }
        guard !copy.interfaces.isEmpty || addresses.isEmpty else {
            throw GodwitError(
                .badRequest, "\(self.source) has no interface that could have an address",
                remedy: "leave the address out")
        }
        return copy
    }

    private var ambiguous: GodwitError {
        GodwitError(
            .badRequest,
            "\(source) has addresses or published ports, which only one instance can have",
            remedy:
                "give the copy its own with --address, none with --no-address, or the same with "
                + "--keep-addresses, so that only one of both can run")
    }
}
