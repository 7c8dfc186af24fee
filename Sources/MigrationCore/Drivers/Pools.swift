/// How the volumes of a pool are kept.
package enum PoolKind: String, Codable, CaseIterable, Sendable {
    case directory, btrfs, zfs, lvm, overlay, shared
}

/// A pool as its host remembers it.
package struct PoolDefinition: Codable, Equatable, Sendable {
    /// As an instance's name: a label, so that it is a file name too.
    package var name: String
    package var kind: PoolKind
    /// What it stands on: a directory, a block device, a volume group, a dataset. Nil: made below
    /// the daemon's state.
    package var source: String?
    /// Of a filesystem that is made in a file.
    package var size: ByteCount?

    package init(
        name: String, kind: PoolKind, source: String? = nil, size: ByteCount? = nil
    ) {
        self.name = name
        self.kind = kind
        self.source = source
        self.size = size
    }

    /// - Throws: `badRequest` that names what cannot be.
    package func validate() throws(GodwitError) {
        do { _ = try InstanceName(name) } catch {
            throw GodwitError(
                .badRequest, "the pool name \"\(name.prefix(80))\" is not usable",
                remedy: error.remedy)
        }
        let source = source ?? "/"
        guard !source.isEmpty, source.utf8.count <= Limit.word.bytes, !source.utf8.contains(0)
        else {
            throw GodwitError(
                .badRequest, "the source of pool \(name) is no path or name",
                remedy: "give a directory, a block device, a volume group or a dataset")
        }
    }
}

/// A pool as `godwit pool list` and `info` show it.
package struct PoolView: Codable, Equatable, Sendable {
    package var definition: PoolDefinition
    /// Nil if it cannot be used now.
    package var facts: PoolFacts?
    /// Why it cannot be used.
    package var fault: String?
    /// The instances that live there, and those that arrive.
    package var instances: [String]
    /// The named volumes that are there, and those that arrive.
    package var volumes: [String]
    /// What is kept there of instances that come and go, oldest first; nil from a version that
    /// keeps nothing.
    package var kept: [KeptCopy]?

    package init(
        definition: PoolDefinition, facts: PoolFacts?, fault: String? = nil,
        instances: [String] = [], volumes: [String] = [], kept: [KeptCopy]? = nil
    ) {
        self.volumes = volumes
        self.kept = kept
        self.definition = definition
        self.facts = facts
        self.fault = fault
        self.instances = instances
    }
}

/// A pool that can take part in migrations.
package typealias MigratingPool = PoolDriver & VolumeSending & VolumeReceiving & VolumeDigesting

/// Makes, opens and removes pools of every kind that the host knows. Everything may be called again
/// after a failure.
package protocol PoolMaking: Sendable {
    /// Makes what the pool stands on.
    ///
    /// - Returns: the definition to be remembered, with all that was left out.
    func create(_ definition: PoolDefinition) async throws -> PoolDefinition
    /// Makes a pool usable: at each start of the daemon, and once it is made.
    func open(_ definition: PoolDefinition) async throws -> any MigratingPool
    /// Gives a pool in a file more room.
    ///
    /// - Throws: `badRequest` if it stands on something else, or is larger already.
    func grow(_ definition: PoolDefinition, to size: ByteCount) async throws -> PoolDefinition
    /// Removes an empty pool, and what `create` has made for it.
    ///
    /// - Throws: `busy` if volumes are in it.
    func destroy(_ definition: PoolDefinition) async throws
}
