import MigrationCore

/// Machines brought into each of their states by the shortest way.
enum States {
    struct Source: CustomStringConvertible {
        let name: String
        let machine: SourceMachine
        var description: String { name }
    }

    struct Target: CustomStringConvertible {
        let name: String
        let machine: TargetMachine
        var description: String { name }
    }

    static func source(
        _ events: [SourceEvent],
        capabilities: Capabilities = .own
    ) -> SourceMachine {
        var machine = SourceMachine(name: Sample.web, capabilities: capabilities)
        for event in events { _ = machine.handle(event) }
        return machine
    }

    static func target(
        _ events: [TargetEvent],
        capabilities: Capabilities = .own
    ) -> TargetMachine {
        var machine = TargetMachine(capabilities: capabilities)
        for event in events { _ = machine.handle(event) }
        return machine
    }

    static let dryRun: [SourceEvent] = [
        .started, .inspected(Sample.offer(isDryRun: true)), .linked,
        .received(.accepted(Sample.acceptance(for: Sample.offer()))),
    ]

    static let wayOfSource: [(String, SourceEvent)] = [
        ("inspecting", .started),
        ("offering", .inspected(Sample.offer())),
        ("offering, linked", .linked),
        ("sending", .received(.accepted(Sample.acceptance(for: Sample.offer())))),
        ("freezing", .volumesSent),
        ("transferring", .frozen),
        ("transferring, sent", .stateSent(Sample.digests)),
        ("handingOver", .received(.arrived(Sample.digests))),
        ("confirming", .received(.finished(Sample.receipt))),
        ("acknowledging", .originalEnded),
        ("closed", .received(.closed)),
    ]

    static let wayOfTarget: [(String, TargetEvent)] = [
        ("checking", .received(.offer(Sample.offer()))),
        ("preparing", .checked(findings: [], plan: Sample.plan(for: Sample.offer()))),
        ("receiving", .prepared),
        ("arrived", .stateArrived(Sample.digests)),
        ("restoring", .received(.custody)),
        ("finished", .restored(Sample.receipt)),
        ("closed", .received(.acknowledged)),
    ]

    /// A migration whose memory may follow: from the offer until the target has custody.
    static let toServe: [SourceEvent] = {
        let offer = Sample.offer(options: MoveOptions(memory: Sample.postcopy))
        return [
            .started, .inspected(offer), .linked,
            .received(.accepted(Sample.acceptance(for: offer))), .volumesSent, .frozen,
            .stateSent(Sample.digests), .received(.arrived(Sample.digests)),
        ]
    }()

    static let toFetch: [TargetEvent] = {
        let offer = Sample.offer(options: MoveOptions(memory: Sample.postcopy))
        return [
            .received(.offer(offer)), .checked(findings: [], plan: Sample.plan(for: offer)),
            .prepared, .stateArrived(Sample.digests), .received(.custody),
        ]
    }()

    private static var servingSources: [Source] {
        let lost = SourceEvent.received(.lost(Sample.error()))
        return [
            Source(name: "handingOver, may serve", machine: source(toServe)),
            Source(
                name: "serving", machine: source(toServe + [.received(.running(Sample.receipt))])),
            Source(name: "deciding", machine: source(toServe + [lost])),
            Source(
                name: "deciding, kept", machine: source(toServe + [lost, .resolved(.keepHere)])),
        ]
    }

    private static var fetchingTargets: [Target] {
        let restored = toFetch + [.restored(Sample.receipt)]
        let failed = TargetEvent.fetchFailed(Sample.error())
        return [
            Target(name: "restoring, to fetch", machine: target(toFetch)),
            Target(name: "restoring, fetched", machine: target(toFetch + [.fetched(Sample.fetch)])),
            Target(name: "restoring, out of reach", machine: target(toFetch + [failed])),
            Target(name: "fetching", machine: target(restored)),
            Target(name: "orphaned", machine: target(restored + [.received(.acknowledged)])),
            Target(name: "lost", machine: target(restored + [failed])),
        ]
    }

    static var sources: [Source] {
        let ways = wayOfSource.indices.map { index in
            let events = wayOfSource[...index].map(\.1)
            return Source(name: wayOfSource[index].0, machine: source(events))
        }
        let toTransfer = wayOfSource.prefix { $0.0 != "transferring, sent" }.map(\.1)
        let arrivedFirst = toTransfer + [.received(.arrived(Sample.digests))]
        let others = [
            Source(name: "idle", machine: source([])),
            Source(name: "transferring, arrived", machine: source(arrivedFirst)),
            Source(name: "withdrawing", machine: source(dryRun)),
            Source(name: "planned", machine: source(dryRun + [.reverted])),
            Source(name: "reverting", machine: source([.started, .cancelled(Sample.error())])),
            Source(
                name: "not moved",
                machine: source([.started, .cancelled(Sample.error()), .reverted])
            ),
        ]
        return ways + others + servingSources
            + records.source.map {
                Source(
                    name: "resumed from \($0.text)",
                    machine: SourceMachine.resume(Sample.web, from: $0).0
                )
            }
    }

    static var targets: [Target] {
        let ways = wayOfTarget.indices.map { index in
            let events = wayOfTarget[...index].map(\.1)
            return Target(name: wayOfTarget[index].0, machine: target(events))
        }
        let failed = wayOfTarget[...4].map(\.1) + [.stepFailed(Sample.error(.restoreFailed))]
        let refused: [TargetEvent] = [
            .received(.offer(Sample.offer())), .checked(findings: [Sample.finding], plan: nil),
        ]
        let others = [
            Target(name: "idle", machine: target([])),
            Target(name: "refused", machine: target(refused)),
            Target(name: "discarding", machine: target(failed)),
            Target(name: "cleaning", machine: target(failed + [.discarded])),
            Target(name: "declined", machine: target(failed + [.discarded, .cleaned])),
        ]
        return ways + others + fetchingTargets
            + records.target.map {
                Target(
                    name: "resumed from \($0.text)",
                    machine: TargetMachine.resume(from: $0, complete: nil).0
                )
            }
    }

    /// One of each kind of record.
    static let records: (source: [SourceRecord], target: [TargetRecord]) = (
        [
            .begun, .custodyOffered, .confirmed(Sample.receipt), .ended(Sample.receipt),
            .reverting(Sample.error()), .closed,
        ],
        [
            .prepared, .taken, .running(Sample.receipt), .lost(Sample.error()),
            .finished(Sample.receipt), .declined(Sample.error()), .cleaned(Sample.error()), .closed,
        ]
    )
}
