/// Turns an offer and what the checks found into the plan that both sides then follow.
///
/// It is arithmetic over what it is given: the target calls it for a move and for a dry run alike.
package enum Planner {
    /// - Parameters:
    ///   - findings: of all checks; the warnings among them become the plan's.
    ///   - abilities: what the target can do besides.
    ///   - methods: the sending methods that each of the target's pools knows, by the pool's name.
    ///   - idRange: the host ids that the target gives away.
    /// - Returns: all findings, with the planner's own, and the plan if none of them refuses.
    package static func plan(
        _ offer: Offer,
        findings: [Finding],
        abilities: [Capabilities.Feature] = [],
        methods: [String: [VolumeMethod]],
        idRange: IDMap? = nil
    ) -> (findings: [Finding], plan: Plan?) {
        var findings = Array((findings + excess(of: offer)).prefix(Limit.findings))
        let idMap = otherIDs(than: offer.definition.idMap, among: idRange)
        let agreed = agree(
            offer, methods: methods, changesIDs: idMap != nil,
            canChangeIDs: abilities.contains(.idMaps))
        findings += agreed.findings + missingAbilities(offer, abilities)
        guard !findings.contains(where: { $0.weight == .refusal }) else { return (findings, nil) }
        let plan = Plan(
            steps: steps(of: offer, volumes: agreed.volumes, abilities: abilities),
            options: offer.options,
            name: offer.options.newName ?? offer.definition.name,
            startsOnTarget: offer.instance.status == .running,
            warnings: findings.filter { $0.weight == .warning },
            mounts: offer.options.treatments(of: offer.definition),
            idMap: idMap
        )
        return (findings, plan)
    }

    /// Those that the target has for an instance which cannot keep its own there.
    private static func otherIDs(than map: IDMap?, among range: IDMap?) -> IDMap? {
        // A range that is too small is found by the checks.
        guard let map, let place = range?.place(for: map), place != map else { return nil }
        return place
    }

    private static func fixedIDs(_ pool: String) -> Finding {
        Finding(
            "id-map",
            cause:
                "the instance would have other host ids on the target, and the pool \(pool) there "
                + "cannot give its files to them",
            cure:
                "let the daemons of both hosts give away the same range (--id-range), or use a "
                + "pool of another kind on the target"
        )
    }

    private static func steps(
        of offer: Offer,
        volumes: [(String, VolumeMethod)],
        abilities: [Capabilities.Feature]
    ) -> [Plan.Step] {
        let isLive = offer.options.mode == .live
        let can = { feature in
            isLive && abilities.contains(feature) && offer.capabilities.knows(feature)
        }
        let checkpoint: [Plan.Step] = isLive ? [.sendCheckpoint] : []
        let memory: [Plan.Step] =
            can(.memoryRounds) ? [.sendMemory(streams: offer.options.memory.streams)] : []
        let packets: [Plan.Step] =
            can(.packetHold) && offer.options.holdsPackets
                && !offer.definition.interfaces.isEmpty ? [.holdPackets] : []
        let snapshots: [Plan.Step] =
            offer.wantsSnapshots ? volumes.prefix(1).map { .sendSnapshots($0.0) } : []
        return snapshots + volumes.map { .sendVolume($0.0, $0.1) } + packets + memory + [.freeze]
            + volumes.map { .sendDelta($0.0, $0.1) } + checkpoint
            + [.handOver] + (offer.options.wantsPostcopy ? [.fetchMemory] : [])
            + [.restore, .endOriginal]
    }

    private static func missingAbilities(
        _ offer: Offer, _ abilities: [Capabilities.Feature]
    ) -> [Finding] {
        missingSnapshots(offer, abilities) + missingPostcopy(offer, abilities)
    }

    private static func missingSnapshots(
        _ offer: Offer, _ abilities: [Capabilities.Feature]
    ) -> [Finding] {
        guard offer.wantsSnapshots else { return [] }
        let sides = [
            ("source", offer.capabilities.knows(.snapshots)),
            ("target", abilities.contains(.snapshots)),
        ]
        let count = offer.instance.snapshots?.count ?? 0
        return sides.filter { !$0.1 }.map { SnapshotCheck.refusal(count, $0.0) }
    }

    private static func missingPostcopy(
        _ offer: Offer, _ abilities: [Capabilities.Feature]
    ) -> [Finding] {
        guard offer.options.wantsPostcopy else { return [] }
        let needed: [Capabilities.Feature] = [.memoryRounds, .postcopy]
        let sides = [
            ("source", needed.allSatisfy(offer.capabilities.knows)),
            ("target", needed.allSatisfy(abilities.contains)),
        ]
        return sides.filter { !$0.1 }.map { side, _ in
            Finding(
                "postcopy",
                cause: "the \(side) cannot have memory follow an instance",
                cure: "bring the \(side) up to date, or move without post-copy"
            )
        }
    }

    /// The first method that the source offers and the target's pool knows, for each volume.
    private static func agree(
        _ offer: Offer,
        methods: [String: [VolumeMethod]],
        changesIDs: Bool,
        canChangeIDs: Bool
    ) -> (volumes: [(String, VolumeMethod)], findings: [Finding]) {
        var volumes: [(String, VolumeMethod)] = []
        var findings: [Finding] = []
        for volume in offer.instance.volumes {
            let pool = offer.definition.pool(ofVolume: volume.name)
            guard let known = methods[pool] else {
                if !findings.contains(missingPool(pool)) { findings.append(missingPool(pool)) }
                continue
            }
            let usable = known.filter { !changesIDs || canChangeIDs && $0.changesIDs }
            if let method = volume.methods.first(where: usable.contains) {
                volumes.append((volume.name, method))
            } else if changesIDs {
                findings.append(fixedIDs(pool))
            } else {
                findings.append(
                    Finding(
                        "volume-method",
                        cause: "no way of sending volume \(volume.name) is known to both hosts",
                        cure: "run the same version of godwit on both hosts"
                    )
                )
            }
        }
        return (volumes, findings)
    }

    private static func missingPool(_ pool: String) -> Finding {
        Finding(
            "pool",
            cause: "the target has no pool \(pool)",
            cure: "configure a pool of that name on the target"
        )
    }

    /// What a peer may not ask for, whatever its version: numbers above the limits, a live move of
    /// what does not run, volumes that are not the instance's own.
    private static func excess(of offer: Offer) -> [Finding] {
        let definition = offer.definition
        let counts = [
            ("volumes", offer.instance.volumes.count, Limit.volumesPerInstance),
            ("interfaces", definition.interfaces.count, Limit.interfacesPerInstance),
            ("mounts", definition.mounts.count, Limit.mountsPerInstance),
            ("words in its command", definition.process.command.count, Limit.commandWords),
            (
                "environment variables", definition.process.environment.count,
                Limit.environmentVariables
            ),
        ]
        var findings = counts.filter { $0.1 > $0.2 }
            .map {
                Finding(
                    "limit",
                    cause: "the instance has \($0.1) \($0.0), the limit is \($0.2)",
                    cure: "reduce them"
                )
            }
        if let forward = offer.options.forward, !(1...Limit.forwardSeconds ~= forward.seconds) {
            findings.append(
                Finding(
                    "limit",
                    cause: "traffic is to be forwarded for \(forward.seconds) s, the limit is "
                        + "\(Limit.forwardSeconds)",
                    cure: "forward it for less time")
            )
        }
        if offer.options.mode == .live, offer.instance.status != .running {
            findings.append(
                Finding("mode", cause: "the instance does not run", cure: "move it with --cold")
            )
        }
        let named = offer.options.movingVolumes(of: definition).map(\.key)
        if offer.instance.volumes.map(\.name) != [definition.name.text] + named
            || Set(named).count != named.count
        {
            findings.append(
                Finding(
                    "volume-name",
                    cause:
                        "the offered volumes are not the instance's own and those that it mounts",
                    cure: "run the same version of godwit on both hosts"
                )
            )
        }
        return findings
    }
}
