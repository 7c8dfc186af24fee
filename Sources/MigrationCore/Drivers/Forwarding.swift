/// Traffic for an instance's addresses goes on reaching it from the network that it has left, where
/// both hosts share none.
///
///     network ── bridge ── cable ═══ VXLAN ═══ cable ── bridge of its own ── instance
///              source                                      target
package struct ForwardOptions: Codable, Equatable, Sendable {
    /// For how long after the move.
    package var seconds: UInt32
    package var ends: CableEnds

    package init(seconds: UInt32, ends: CableEnds) {
        self.seconds = seconds
        self.ends = ends
    }
}

/// The addresses under which two hosts reach each other, from the view of one of them.
package struct CableEnds: Codable, Hashable, Sendable {
    package var own: String
    package var other: String

    package init(own: String, other: String) {
        self.own = own
        self.other = other
    }

    package var reversed: CableEnds { CableEnds(own: other, other: own) }

    /// Whether the kernel can be asked for a tunnel between them.
    package var isValid: Bool {
        guard let own = NetworkAddress(own), let other = NetworkAddress(other) else { return false }
        return own.bytes.count == other.bytes.count && own != other
    }
}

/// One end of a cable to another host, as long as traffic is forwarded.
package struct Forward: Codable, Equatable, Sendable {
    package enum Direction: String, Codable, Sendable {
        /// The instance has left this host, and traffic follows it.
        case leaving
        /// The instance is here, and its traffic comes from the host that it left.
        case arriving
    }

    package var instance: InstanceName
    package var direction: Direction
    /// The other host's address.
    package var other: String
    /// Nil while the move is under way.
    package var until: Timestamp?

    package init(
        instance: InstanceName, direction: Direction, other: String, until: Timestamp?
    ) {
        self.instance = instance
        self.direction = direction
        self.other = other
        self.until = until
    }
}

/// What can have traffic for an instance follow it to another host.
package protocol TrafficForwarding: Checkpointable {
    /// Source, before the freeze: joins the instance's networks to the other host. Idempotent.
    ///
    /// The target's end is made by `prepareRestore`, from the cables in the definition.
    func layCables(_ definition: InstanceDefinition, _ ends: CableEnds) async throws
    /// Source: undoes it. Idempotent, and works without the instance.
    func removeCables(_ definition: InstanceDefinition) async throws
    /// Target: the instance's interfaces become ports of this host's own bridges. Idempotent.
    ///
    /// - Parameter definition: still with its cables.
    func cutCables(_ definition: InstanceDefinition) async throws
}
