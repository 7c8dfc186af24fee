/// What the operator asked of a move.
package struct MoveOptions: Codable, Equatable, Sendable {
    package enum Mode: String, Codable, Sendable { case live, cold }
    package enum TCP: String, Codable, Sendable { case keep, close }

    package var mode: Mode
    package var tcp: TCP
    /// The name on the target, where it is not the same.
    package var newName: InstanceName?
    /// Bytes a second over all streams together; nil is as fast as the link.
    package var bandwidth: ByteCount?
    /// The target holds the instance frozen after the restore.
    package var isPaused: Bool
    /// The source keeps the stopped instance's definition and volume.
    package var keepsDefinition: Bool
    package var memory: MemoryOptions
    /// Whether packets are kept while it stands still.
    package var holdsPackets: Bool
    /// The target's bridge for each of the source's that has another name there.
    package var networks: [String: String]?
    /// As the source sees it.
    package var forward: ForwardOptions?
    /// Its snapshots are deleted with the original; nil from versions that know none.
    package var dropsSnapshots: Bool?
    /// What was asked for of mounts, by their places in the instance; nil where all is usual, and
    /// from versions that know no other.
    package var mounts: [String: MountTreatment]?

    package init(
        mode: Mode = .live,
        tcp: TCP = .keep,
        newName: InstanceName? = nil,
        bandwidth: ByteCount? = nil,
        isPaused: Bool = false,
        keepsDefinition: Bool = false,
        memory: MemoryOptions = .standard,
        holdsPackets: Bool = true,
        networks: [String: String]? = nil,
        forward: ForwardOptions? = nil,
        dropsSnapshots: Bool? = nil,
        mounts: [String: MountTreatment]? = nil
    ) {
        self.mounts = mounts
        self.dropsSnapshots = dropsSnapshots
        self.forward = forward
        self.holdsPackets = holdsPackets
        self.networks = networks
        self.mode = mode
        self.tcp = tcp
        self.newName = newName
        self.bandwidth = bandwidth
        self.isPaused = isPaused
        self.keepsDefinition = keepsDefinition
        self.memory = memory
    }

    /// Whether memory may follow the instance.
    package var wantsPostcopy: Bool { mode == .live && memory.atDeadline == .postcopy }

    /// The instance as it is to be on the target.
    package func arriving(_ definition: InstanceDefinition) -> InstanceDefinition {
        var arriving = definition
        arriving.name = newName ?? definition.name
        arriving.interfaces = definition.interfaces.map { interface in
            var interface = interface
            interface.bridge = networks?[interface.bridge] ?? interface.bridge
            interface.cable = forward?.ends.reversed
            interface.cableEnds = nil
            return interface
        }
        arriving.mounts = self.arriving(definition.mounts)
        return arriving
    }
}

/// What a migration will do, before it does any of it. `--dry-run` prints this value and stops.
package struct Plan: Codable, Equatable, Sendable {
    package enum Step: Codable, Hashable, Sendable {
        /// The volume's snapshots, oldest first, each as what differs from the one before.
        case sendSnapshots(String)
        /// The volume's first pass, while the instance runs.
        case sendVolume(String, VolumeMethod)
        /// Memory in rounds over that many streams, while the instance runs; the last one after
        /// the freeze.
        case sendMemory(streams: Int)
        /// Packets for the instance are kept on both hosts from the freeze on.
        case holdPackets
        /// The instance stands still from here (live) or is stopped (cold).
        case freeze
        /// What changed in the volume since the first pass.
        case sendDelta(String, VolumeMethod)
        /// Process state; only live.
        case sendCheckpoint
        /// Both sides' digests are compared, then custody is offered and taken.
        case handOver
        /// Memory that has not travelled by then follows once the instance runs on the target.
        case fetchMemory
        /// The target lets the instance run (or holds it, if it was to be paused or was stopped).
        case restore
        /// The source ends its frozen original.
        case endOriginal
    }

    package let steps: [Step]
    package let options: MoveOptions
    /// The name under which the instance will be known on the target.
    package let name: InstanceName
    /// Whether the instance runs when all is done (it may be stopped, and then moves cold).
    package let startsOnTarget: Bool
    /// What the checks wanted the operator to know; never a refusal.
    package let warnings: [Finding]
    /// What becomes of each mount, by its place in the instance; nil without mounts.
    package let mounts: [String: MountTreatment]?
    /// The host ids that it will have on the target; nil if it keeps those that it has.
    package let idMap: IDMap?

    package init(
        steps: [Step],
        options: MoveOptions,
        name: InstanceName,
        startsOnTarget: Bool,
        warnings: [Finding],
        mounts: [String: MountTreatment]? = nil,
        idMap: IDMap? = nil
    ) {
        self.mounts = mounts
        self.idMap = idMap
        self.steps = steps
        self.options = options
        self.name = name
        self.startsOnTarget = startsOnTarget
        self.warnings = warnings
    }

    /// The instance as it is to be on the target.
    package func arriving(_ definition: InstanceDefinition) -> InstanceDefinition {
        var arriving = options.arriving(definition)
        arriving.idMap = idMap ?? definition.idMap
        return arriving
    }

    /// Whether memory may follow the instance.
    package var canFetch: Bool { steps.contains(.fetchMemory) }

    /// Whether the volume stays where it is, and the target sees it there.
    package func shares(_ volume: String) -> Bool {
        steps.contains(.sendVolume(volume, .shared))
    }

    /// Whether this is a plan for what was offered: the operator's options, the right name, and no
    /// volume or method that the source does not have.
    package func isAnswer(to offer: Offer) -> Bool {
        let name = offer.options.newName ?? offer.definition.name
        let areOffered = steps.allSatisfy { step in
            switch step {
            case .sendVolume(let volume, let method), .sendDelta(let volume, let method):
                offer.instance.volumes.contains {
                    $0.name == volume && $0.methods.contains(method)
                }
            case .sendMemory(let streams):
                offer.capabilities.knows(.memoryRounds)
                    && (1...Limit.memoryStreams).contains(streams)
            case .holdPackets: offer.capabilities.knows(.packetHold)
            case .sendSnapshots(let volume):
                offer.capabilities.knows(.snapshots)
                    && offer.instance.volumes.contains { $0.name == volume }
            case .fetchMemory: offer.options.wantsPostcopy && offer.capabilities.knows(.postcopy)
            case .freeze, .sendCheckpoint, .handOver, .restore, .endOriginal: true
            }
        }
        // None are lost because a target knows nothing of them.
        let areWanted = offer.wantsSnapshots
        let haveSnapshots = steps.contains { if case .sendSnapshots = $0 { true } else { false } }
        let hasIDs = idMap == nil || idMap?.count == offer.definition.idMap?.count
        return options == offer.options && self.name == name && areOffered && hasIDs
            && areWanted == haveSnapshots
    }
}

/// The protocol versions and features of one side.
package struct Capabilities: Codable, Equatable, Sendable {
    package var oldestVersion: Int
    package var newestVersion: Int
    package var features: [Feature]

    package init(oldestVersion: Int, newestVersion: Int, features: [Feature]) {
        self.oldestVersion = oldestVersion
        self.newestVersion = newestVersion
        self.features = features
    }

    /// A named extension of the protocol. A peer that does not know a mandatory one refuses;
    /// others are dropped.
    package struct Feature: Codable, Hashable, Sendable {
        package let name: String
        package let isMandatory: Bool

        package init(_ name: String, isMandatory: Bool = false) {
            self.name = name
            self.isMandatory = isMandatory
        }
    }

    /// All that this program knows.
    package static let own = Capabilities(
        oldestVersion: 1,
        newestVersion: 1,
        features: [
            Feature("state-digest"), Feature("tree-digest"), .memoryRounds, .packetHold, .postcopy,
            .earlyDelta, .snapshots, .mounts, .keptCopies, .volumePasses,
        ]
    )

    package func knows(_ feature: Feature) -> Bool {
        features.contains { $0.name == feature.name }
    }

    /// Whether these are the other's versions and some of its features.
    package func isPart(of other: Capabilities) -> Bool {
        oldestVersion == other.oldestVersion && newestVersion == other.newestVersion
            && features.allSatisfy(other.knows)
    }

    /// With the feature, which the peer must know.
    package func demanding(_ feature: Feature) -> Capabilities {
        var more = without(feature)
        more.features.append(Feature(feature.name, isMandatory: true))
        return more
    }

    /// Without the feature, if it is there.
    package func without(_ feature: Feature) -> Capabilities {
        var rest = self
        rest.features.removeAll { $0.name == feature.name }
        return rest
    }
}

extension Capabilities.Feature {
    /// The instance's memory travels in rounds while it runs.
    package static let memoryRounds = Self("memory-rounds")
    /// A volume's snapshots travel before it.
    package static let snapshots = Self("snapshots")
    /// Named volumes travel, and it can be said what becomes of each mount. Mandatory where an
    /// instance has or asks for any of that.
    package static let mounts = Self("mounts")
    /// The target says what it has of a volume and its snapshots already.
    package static let keptCopies = Self("kept-copies")
    /// What changes in a volume while it travels follows in further passes before the freeze.
    package static let volumePasses = Self("volume-passes")
    /// A volume's delta travels while CRIU dumps, and what the dump changes after it.
    package static let earlyDelta = Self("early-delta")
    /// Memory may follow the instance when it runs on the target already.
    package static let postcopy = Self("postcopy")
    /// What arrives for the instance while it stands still is delivered when it runs again.
    package static let packetHold = Self("packet-hold")
}
