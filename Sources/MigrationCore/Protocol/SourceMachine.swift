/// The source's half of the protocol. It does no I/O: an event goes in, the next actions come out.
///
/// Phases go forward only. Custody leaves with `record(.custodyOffered)`: from there on the source
/// does not thaw by itself, whatever happens, until the target has declined or a person has
/// decided.
///
/// | the daemon dies             | the journal says | what the next start does                     |
/// |-----------------------------|------------------|----------------------------------------------|
/// | before `begun`              | nothing          | nothing: the instance was never touched      |
/// | while state travels         | begun            | thaws, cleans up; the target undoes its half |
/// | after custody was offered   | custodyOffered   | asks the target, and obeys its answer        |
/// | while it serves pages       | custodyOffered   | asks the target, and serves again            |
/// | while the original is ended | confirmed        | ends it (again), then acknowledges           |
/// | before `closed` is heard    | ended            | acknowledges (again)                         |
/// | while it reverts            | reverting        | reverts (again)                              |
/// | after `closed`              | closed           | nothing                                      |
///
/// `docs/protocol.md` has the table of both journals together; `DeathTests` plays each of its rows.
package struct SourceMachine: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        case idle
        case inspecting
        case offering(Offer)
        case sending(Acceptance)
        case freezing(Acceptance)
        /// Digests of what stands here, and of what the target says has arrived.
        case transferring(Acceptance, own: Digests?, arrived: Digests?)
        case handingOver
        /// The instance runs on the target and lacks memory that only the original has.
        case serving(Receipt)
        /// The instance has run on the target and is lost there: a person decides.
        ///
        /// - Parameter keeps: whether one has decided for the original, and the target has to
        ///   promise first that nothing of the instance can run there.
        case deciding(GodwitError, keeps: Bool)
        case confirming(Receipt)
        case acknowledging(Receipt)
        /// A dry run has its answer; the instance is unlocked.
        case withdrawing(Plan)
        case reverting(GodwitError)
        case closed(Outcome)
    }

    package private(set) var state = State.idle
    /// Whether the control connection stands, as far as the last event told.
    package private(set) var isLinked = false
    package let name: InstanceName
    private let capabilities: Capabilities
    /// Whether memory may follow the instance; after a restart the target has to tell.
    private var canServe = true
    /// Whether the step that serves pages may run.
    private var isServing = false

    package init(name: InstanceName, capabilities: Capabilities = .own) {
        precondition(capabilities.oldestVersion <= capabilities.newestVersion)
        self.name = name
        self.capabilities = capabilities
    }

    /// Goes on after a restart of the daemon from what the journal says.
    package static func resume(
        _ name: InstanceName,
        from record: SourceRecord
    ) -> (SourceMachine, [SourceAction]) {
        var machine = SourceMachine(name: name)
        switch record {
        case .begun:
            let reason = GodwitError(
                .cancelled,
                "the daemon of the source was restarted during the migration",
                remedy: "start the move again"
            )
            machine.state = .reverting(reason)
            return (machine, [.record(.reverting(reason)), .revert])
        case .custodyOffered:
            machine.state = .handingOver
            return (machine, [.connect])
        case .confirmed(let receipt):
            machine.state = .confirming(receipt)
            return (machine, [.endOriginal])
        case .ended(let receipt):
            machine.state = .acknowledging(receipt)
            return (machine, [.connect, .conclude(receipt.outcome)])
        case .reverting(let reason):
            machine.state = .reverting(reason)
            return (machine, [.revert])
        case .closed:
            machine.state = .closed(
                .notMoved(GodwitError(.cancelled, "the migration was closed before the restart"))
            )
            return (machine, [])
        }
    }

    /// Whether a cancel can still bring the instance back to run here.
    package var canCancel: Bool {
        switch state {
        case .idle, .inspecting, .offering, .sending, .freezing, .transferring: true
        case .handingOver, .serving, .deciding, .confirming, .acknowledging, .withdrawing,
            .reverting, .closed:
            false
        }
    }

    /// Whether a person may decide in the target's place: it has the say and cannot be reached, or
    /// it has lost the instance.
    package var canResolve: Bool {
        switch state {
        case .handingOver, .serving, .acknowledging: !isLinked
        case .deciding: true
        case .idle, .inspecting, .offering, .sending, .freezing, .transferring, .confirming,
            .withdrawing, .reverting, .closed:
            false
        }
    }

    package var phase: Phase {
        switch state {
        case .idle, .inspecting: .begin
        case .offering: .prepare
        case .sending, .freezing, .transferring: .perform
        case .handingOver, .serving, .deciding: .finish
        case .confirming, .acknowledging, .withdrawing, .reverting, .closed: .confirm
        }
    }

    package mutating func handle(_ event: SourceEvent) -> [SourceAction] {
        let before = phase
        let actions = respond(to: event)
        precondition(phase >= before, "going backwards from \(before) to \(phase)")
        return actions
    }

    private mutating func respond(to event: SourceEvent) -> [SourceAction] {
        switch event {
        case .linked:
            isLinked = true
            return linked()
        case .linkLost:
            isLinked = false
            return linkLost()
        case .received(let message): return received(message)
        case .cancelled(let reason), .stepFailed(let reason):
            return canCancel ? revert(reason) : []
        case .resolved(let resolution): return resolved(resolution)
        case .started, .inspected, .volumesSent, .frozen, .stateSent, .reverted, .originalEnded:
            return advanced(event)
        }
    }

    /// Our own steps. Out of turn they are a bug of ours, except when the machine has turned back:
    /// a step may have ended in the moment in which it was stopped.
    private mutating func advanced(_ event: SourceEvent) -> [SourceAction] {
        switch (state, event) {
        case (.idle, .started):
            state = .inspecting
            return [.record(.begun), .inspect]
        case (.inspecting, .inspected(let offer)):
            precondition(
                offer.capabilities.isPart(of: capabilities), "the offer speaks for this machine")
            precondition(offer.definition.name == name, "the offer is of this instance")
            state = .offering(offer)
            return [.connect]
        case (.sending(let acceptance), .volumesSent):
            state = .freezing(acceptance)
            return [.freeze]
        case (.freezing(let acceptance), .frozen):
            state = .transferring(acceptance, own: nil, arrived: nil)
            return [.sendState]
        case (.transferring(let acceptance, own: nil, let arrived), .stateSent(let own)):
            return compare(acceptance, own: own, arrived: arrived)
        case (.confirming(let receipt), .originalEnded):
            state = .acknowledging(receipt)
            let next: SourceAction = isLinked ? .send(.acknowledged) : .connect
            return [.record(.ended(receipt)), next, .conclude(receipt.outcome)]
        case (.reverting(let reason), .reverted):
            return close(.notMoved(reason), telling: true)
        case (.withdrawing(let plan), .reverted):
            return close(.planned(plan), telling: true)
        case (.reverting, _), (.withdrawing, _), (.closed, _):
            return []
        default:
            preconditionFailure("the source's own \(event) in \(state)")
        }
    }

    private mutating func linked() -> [SourceAction] {
        switch state {
        case .offering(let offer): return [.send(.offer(offer))]
        case .handingOver, .serving, .deciding: return [.send(.inquire)]
        case .acknowledging: return [.send(.acknowledged)]
        case .idle, .inspecting, .sending, .freezing, .transferring, .confirming, .withdrawing,
            .reverting, .closed:
            return []
        }
    }

    private mutating func linkLost() -> [SourceAction] {
        switch state {
        case .offering, .sending, .freezing, .transferring:
            let reason = GodwitError(
                .linkLost,
                "the connection to the target broke during \(phase.title)",
                remedy: "check the network between the hosts and start the move again"
            )
            return revert(reason)
        case .handingOver, .serving, .deciding, .acknowledging: return [.connect]
        case .idle, .inspecting, .confirming, .withdrawing, .reverting, .closed: return []
        }
    }

    private mutating func revert(_ reason: GodwitError) -> [SourceAction] {
        precondition(canCancel, "custody is not ours any more")
        return turnBack(reason, telling: isLinked ? [.send(.abort(reason))] : [])
    }

    private mutating func turnBack(
        _ reason: GodwitError,
        telling: [SourceAction]
    ) -> [SourceAction] {
        guard state != .idle else {
            state = .closed(.notMoved(reason))
            return [.conclude(.notMoved(reason))]
        }
        precondition(canCancel || phase == .finish, "custody is the target's for good")
        state = .reverting(reason)
        return [.stopSteps, .record(.reverting(reason)), .revert] + telling
    }

    private mutating func resolved(_ resolution: Resolution) -> [SourceAction] {
        guard canResolve else { return [] }
        switch (state, resolution) {
        case (.acknowledging(let receipt), .gone):
            return close(receipt.outcome, telling: false)
        case (.acknowledging, .keepHere):
            return []  // There is nothing left to keep.
        case (.deciding(let reason, _), .keepHere) where isLinked:
            // It answers `declined` once nothing of the instance can run there.
            state = .deciding(reason, keeps: true)
            return [.send(.abort(.keptByPerson))]
        case (_, .keepHere):
            return turnBack(.keptByPerson, telling: [])
        case (.deciding(let reason, _), .gone):
            return confirm(
                Receipt(name: name, isRunning: false, milliseconds: [:], loss: reason))
        case (_, .gone):
            return confirm(Receipt(name: name, isRunning: true, milliseconds: [:]))
        }
    }

    /// Nothing is left to do. What is to be told is told before it is written that nothing is.
    private mutating func close(_ outcome: Outcome, telling: Bool) -> [SourceAction] {
        precondition(phase == .confirm, "closing during \(phase)")
        state = .closed(outcome)
        return (telling ? [.conclude(outcome)] : []) + [.record(.closed), .disconnect]
    }
}

extension SourceMachine {
    /// What the peer says. It may say anything at any time; that ends in a clean abort, never a
    /// trap.
    private mutating func received(_ message: Message) -> [SourceAction] {
        switch (state, message) {
        case (.offering(let offer), .accepted(let acceptance)):
            return accepted(acceptance, for: offer)
        case (.offering, .refused(let findings)):
            return turnBack(.refusal(findings), telling: [])
        case (.transferring(let acceptance, let own, arrived: nil), .arrived(let arrived)):
            return compare(acceptance, own: own, arrived: arrived)
        case (.handingOver, .finished(let receipt)), (.serving, .finished(let receipt)):
            return confirm(receipt)
        case (.handingOver, .restoring) where canServe:
            return serve()  // The restore itself may wait for pages.
        case (.handingOver, .running(let receipt)):
            state = .serving(receipt)
            return serve()
        case (.handingOver, .lost(let reason)), (.serving, .lost(let reason)):
            state = .deciding(reason, keeps: false)
            return []
        case (.deciding(_, keeps: true), .lost):
            return [.send(.abort(.keptByPerson))]  // It has not heard it yet.
        case (.handingOver, .declined(let reason)), (.serving, .declined(let reason)),
            (.deciding, .declined(let reason)):
            return turnBack(reason, telling: [])
        case (.acknowledging(let receipt), .closed):
            return close(receipt.outcome, telling: false)
        case (.acknowledging, .finished):
            return [.send(.acknowledged)]  // It has not heard it yet.
        case (.acknowledging, .declined(let reason)):
            // Only after a person said `gone` of an instance that the target did not have whole.
            return close(.notMoved(reason), telling: true)
        case (.handingOver, _), (.serving, _), (.deciding, _), (.confirming, _),
            (.acknowledging, _), (.withdrawing, _), (.reverting, _), (.closed, _):
            return []  // Late or repeated: nothing else could change anything.
        case (_, .declined(let reason)), (_, .abort(let reason)):
            return turnBack(reason, telling: [])
        case (.sending, .accepted), (.freezing, .accepted), (.transferring, .accepted),
            (.transferring, .arrived):
            return []  // A repetition.
        default: return revert(.nonsense(message, in: phase))
        }
    }

    private mutating func accepted(_ acceptance: Acceptance, for offer: Offer) -> [SourceAction] {
        let accepted = Set(acceptance.features)
        let known = Set(capabilities.features.map(\.name))
        let needed = Set(capabilities.features.filter(\.isMandatory).map(\.name))
        let versions = capabilities.oldestVersion...capabilities.newestVersion
        guard versions.contains(acceptance.version), known.isSuperset(of: accepted),
            accepted.isSuperset(of: needed)
        else {
            return revert(
                GodwitError(
                    .peerIncompatible,
                    "the target accepted with protocol version \(acceptance.version) and features "
                        + "that are not the source's",
                    remedy: "run the same version of godwit on both hosts"
                )
            )
        }
        guard acceptance.plan.isAnswer(to: offer) else {
            return revert(.nonsense(.accepted(acceptance), in: phase))
        }
        guard !offer.isDryRun else {
            state = .withdrawing(acceptance.plan)
            let reason = GodwitError(.cancelled, "this was a dry run")
            return [.record(.reverting(reason)), .revert]
        }
        state = .sending(acceptance)
        return [.sendVolumes(acceptance)]
    }

    private mutating func compare(
        _ acceptance: Acceptance,
        own: Digests?,
        arrived: Digests?
    ) -> [SourceAction] {
        guard let own, let arrived else {
            state = .transferring(acceptance, own: own, arrived: arrived)
            return []
        }
        guard own == arrived else { return revert(.difference(own: own, arrived: arrived)) }
        precondition(canCancel, "custody is offered once, and only while it is ours")
        state = .handingOver
        canServe = acceptance.plan.canFetch
        // The target may ask for pages as soon as it has custody.
        return [.record(.custodyOffered), .send(.custody)] + (canServe ? serve() : [])
    }

    private mutating func serve() -> [SourceAction] {
        isServing = true
        return [.servePages]
    }

    private mutating func confirm(_ receipt: Receipt) -> [SourceAction] {
        precondition(phase == .finish, "a receipt without an offer")
        state = .confirming(receipt)
        let stop: [SourceAction] = isServing ? [.stopSteps] : []
        isServing = false
        return [.record(.confirmed(receipt))] + stop + [.endOriginal]
    }
}
