/// The target's half of the protocol. It does no I/O: an event goes in, the next actions come out.
///
/// Custody arrives with `record(.taken)`. A target that has not taken it declines for ever as soon
/// as anything goes wrong: `declined` is written before it is said, and only after nothing of the
/// instance can run here any more.
///
/// | the daemon dies         | the journal says | what the next start does                           |
/// |-------------------------|------------------|----------------------------------------------------|
/// | before `prepared`       | nothing          | nothing; asked about it, it declines for ever      |
/// | while state arrives     | prepared         | discards, declines, cleans up                      |
/// | while it restores       | taken            | complete: goes on; else discards and declines      |
/// | while it fetches memory | running          | goes on fetching                                   |
/// | when that is impossible | lost             | waits for a person's word at the source            |
/// | after the restore       | finished         | repeats the receipt when asked                     |
/// | while it cleans up      | declined         | cleans up (again), repeats it when asked           |
/// | after that              | cleaned          | nothing; repeats `declined` when asked             |
/// | after acknowledgement   | closed           | says `closed` again                                |
///
/// `docs/protocol.md` has the table of both journals together; `DeathTests` plays each of its rows.
package struct TargetMachine: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        case idle
        case checking(Offer)
        case preparing(Acceptance)
        case receiving(Acceptance)
        case arrived(Acceptance)
        /// - Parameter lacks: whether memory follows that is not here yet.
        case restoring(lacks: Bool, fetched: MemoryReport.Fetch?)
        /// The instance runs, and memory that it lacks is on its way.
        case fetching(Receipt)
        /// The instance has run and cannot go on here: a person decides.
        case lost(GodwitError)
        case finished(Receipt)
        case discarding(GodwitError)
        case cleaning(GodwitError)
        case declined(GodwitError)
        case closed
    }

    package private(set) var state = State.idle
    private let capabilities: Capabilities

    package init(capabilities: Capabilities = .own) {
        precondition(capabilities.oldestVersion <= capabilities.newestVersion)
        self.capabilities = capabilities
    }

    /// Goes on after a restart of the daemon from what the journal says.
    ///
    /// - Parameters:
    ///   - complete: the receipt, if the record is `taken` and the instance is found restored.
    ///   - lacksMemory: whether memory has to follow that instance.
    package static func resume(
        from record: TargetRecord,
        complete: Receipt?,
        lacksMemory: Bool = false
    ) -> (TargetMachine, [TargetAction]) {
        precondition(complete == nil || record == .taken, "only `taken` asks what is here")
        var machine = TargetMachine()
        let restarted = GodwitError(
            .cancelled,
            "the daemon of the target was restarted during the migration",
            remedy: "start the move again"
        )
        switch (record, complete) {
        case (.taken, let receipt?) where lacksMemory:
            machine.state = .fetching(receipt)
            return (machine, [.record(.running(receipt)), .fetch])
        case (.taken, let receipt?):
            machine.state = .finished(receipt)
            return (
                machine,
                [.record(.finished(receipt)), .adopt(receipt), .conclude(.moved(receipt))]
            )
        case (.prepared, _), (.taken, nil):
            machine.state = .discarding(restarted)
            return (machine, [.discard])
        case (.running(let receipt), _):
            machine.state = .fetching(receipt)
            return (machine, [.fetch])
        case (.lost(let reason), _):
            machine.state = .lost(reason)
            return (machine, [])
        case (.finished(let receipt), _):
            machine.state = .finished(receipt)
            return (machine, [.adopt(receipt), .conclude(.moved(receipt))])
        case (.declined(let reason), _):
            machine.state = .cleaning(reason)
            return (machine, [.cleanUp])
        case (.cleaned(let reason), _):
            machine.state = .declined(reason)
            return (machine, [])
        case (.closed, _):
            machine.state = .closed
            return (machine, [])
        }
    }

    /// Whether the target may still give the migration up by itself.
    package var canCancel: Bool {
        switch state {
        case .idle, .checking, .preparing, .receiving, .arrived: true
        case .restoring, .fetching, .lost, .finished, .discarding, .cleaning, .declined, .closed:
            false
        }
    }

    package var phase: Phase {
        switch state {
        case .idle: .begin
        case .checking, .preparing: .prepare
        case .receiving, .arrived: .perform
        case .restoring, .fetching, .lost, .discarding, .cleaning, .declined: .finish
        case .finished, .closed: .confirm
        }
    }

    package mutating func handle(_ event: TargetEvent) -> [TargetAction] {
        let before = phase
        let actions = respond(to: event)
        precondition(phase >= before, "going backwards from \(before) to \(phase)")
        return actions
    }

    private mutating func respond(to event: TargetEvent) -> [TargetAction] {
        switch event {
        case .received(let message): received(message)
        case .linkLost:
            giveUp(
                GodwitError(
                    .linkLost,
                    "the connection to the source broke during \(phase.title)",
                    remedy: "check the network between the hosts and start the move again"
                )
            )
        case .cancelled(let reason): giveUp(reason)
        case .stepFailed(let reason): stepFailed(reason)
        case .checked(let findings, let plan): checked(findings, plan)
        case .prepared, .stateArrived, .restored, .fetched, .discarded, .cleaned:
            advanced(event)
        }
    }

    /// Our own steps. Out of turn they are a bug of ours, except when the machine has turned back:
    /// a step may have ended in the moment in which it was stopped.
    private mutating func advanced(_ event: TargetEvent) -> [TargetAction] {
        switch (state, event) {
        case (.preparing(let acceptance), .prepared):
            state = .receiving(acceptance)
            return [.receiveState, .send(.accepted(acceptance))]
        case (.receiving(let acceptance), .stateArrived(let digests)):
            state = .arrived(acceptance)
            return [.send(.arrived(digests))]
        case (.restoring(lacks: true, _), .restored(let receipt)):
            state = .fetching(receipt)
            return [.record(.running(receipt)), .send(.running(receipt))]
        case (.restoring(lacks: false, let fetched), .restored(let receipt)):
            return finish(receipt, fetched)
        case (.restoring, .fetched(let fetched)):
            state = .restoring(lacks: false, fetched: fetched)
            return []
        case (.fetching(let receipt), .fetched(let fetched)): return finish(receipt, fetched)
        case (.discarding(let reason), .discarded):
            state = .cleaning(reason)
            return [.record(.declined(reason)), .send(.declined(reason)), .cleanUp]
        case (.cleaning(let reason), .cleaned):
            state = .declined(reason)
            return [.conclude(.notMoved(reason)), .record(.cleaned(reason)), .disconnect]
        case (.discarding, _), (.cleaning, _), (.declined, _), (.closed, _):
            return []
        default:
            preconditionFailure("the target's own \(event) in \(state)")
        }
    }

    private mutating func finish(
        _ receipt: Receipt, _ fetched: MemoryReport.Fetch?
    ) -> [TargetAction] {
        var receipt = receipt
        receipt.fetched = fetched
        state = .finished(receipt)
        return [
            .record(.finished(receipt)), .adopt(receipt), .send(.finished(receipt)),
            .conclude(.moved(receipt)),
        ]
    }

    private mutating func stepFailed(_ reason: GodwitError) -> [TargetAction] {
        switch state {
        case .restoring: return discard(reason)
        case .fetching:
            // It has run, so that giving it back would undo what clients have seen.
            state = .lost(reason)
            return [.stopSteps, .record(.lost(reason)), .send(.lost(reason))]
        default: return giveUp(reason)
        }
    }

    private mutating func checked(_ findings: [Finding], _ plan: Plan?) -> [TargetAction] {
        if case .declined = state { return [] }  // Given up in the moment in which they ended.
        guard case .checking(let offer) = state else {
            preconditionFailure("the target's own checks in \(state)")
        }
        let isRefused = findings.contains { $0.weight == .refusal }
        precondition(isRefused || plan != nil, "a refusal says why")
        guard let plan, !isRefused else { return refuse(findings) }
        precondition(plan.isAnswer(to: offer), "a plan for another offer")
        guard let acceptance = agree(with: offer, on: plan) else { return refuse(findings) }
        if offer.isDryRun {
            state = .declined(GodwitError(.cancelled, "this was a dry run"))
            return [.send(.accepted(acceptance)), .conclude(.planned(plan)), .disconnect]
        }
        state = .preparing(acceptance)
        return [.record(.prepared), .prepare(offer, plan)]
    }

    private mutating func refuse(_ findings: [Finding]) -> [TargetAction] {
        let refusal = GodwitError.refusal(findings)
        state = .declined(refusal)
        return [.send(.refused(findings)), .conclude(.notMoved(refusal)), .disconnect]
    }

    /// Ends the migration here while custody is not ours; afterwards this is not for us to say.
    private mutating func giveUp(_ reason: GodwitError) -> [TargetAction] {
        switch state {
        case .idle, .checking:
            state = .declined(reason)
            return [
                .stopSteps, .conclude(.notMoved(reason)), .record(.cleaned(reason)),
                .send(.declined(reason)),
            ]
        case .preparing, .receiving, .arrived: return discard(reason)
        case .restoring, .fetching, .lost, .finished, .discarding, .cleaning, .declined, .closed:
            return []
        }
    }

    private mutating func discard(_ reason: GodwitError) -> [TargetAction] {
        precondition(phase < .confirm, "what is finished is not discarded")
        state = .discarding(reason)
        return [.stopSteps, .discard]
    }
}

extension TargetMachine {
    /// What the peer says. It may say anything at any time; that ends in a clean decline, never a
    /// trap.
    private mutating func received(_ message: Message) -> [TargetAction] {
        switch message {
        case .offer(let offer): return offered(offer)
        case .custody: return takeCustody()
        case .acknowledged: return acknowledged()
        case .inquire: return inquired()
        case .abort(let reason): return aborted(reason)
        case .accepted, .refused, .arrived, .finished, .declined, .closed, .restoring,
            .running, .lost:
            return giveUp(.nonsense(message, in: phase))
        }
    }

    private mutating func offered(_ offer: Offer) -> [TargetAction] {
        switch state {
        case .idle:
            if let finding = incompatibility(of: offer.capabilities) { return refuse([finding]) }
            state = .checking(offer)
            return [.check(offer)]
        case .cleaning(let reason), .declined(let reason): return [.send(.declined(reason))]
        case .checking, .preparing, .receiving, .arrived, .restoring, .fetching, .lost, .finished,
            .discarding, .closed:
            return []  // A repetition.
        }
    }

    /// Of what is lost here only the source says so, in a person's name.
    private mutating func aborted(_ reason: GodwitError) -> [TargetAction] {
        if case .lost = state { return discard(reason) }
        return giveUp(reason)
    }

    private mutating func takeCustody() -> [TargetAction] {
        switch state {
        case .arrived(let acceptance):
            let canFetch = acceptance.plan.canFetch
            state = .restoring(lacks: canFetch, fetched: nil)
            return [.record(.taken), .restore] + (canFetch ? [.fetch] : [])
        case .cleaning(let reason), .declined(let reason): return [.send(.declined(reason))]
        // A repetition, or answered soon.
        case .restoring, .fetching, .lost, .finished, .closed, .discarding: return []
        case .idle, .checking, .preparing, .receiving:
            return giveUp(.nonsense(.custody, in: phase))
        }
    }

    private mutating func acknowledged() -> [TargetAction] {
        switch state {
        case .finished:
            state = .closed
            return [.record(.closed), .send(.closed), .disconnect]
        case .idle, .closed:
            state = .closed
            return [.send(.closed), .disconnect]
        case .checking, .preparing, .receiving, .arrived:
            return giveUp(.nonsense(.acknowledged, in: phase))
        case .cleaning(let reason), .declined(let reason): return [.send(.declined(reason))]
        // Said before the receipt only if a person decided; `finished` or `declined` is said soon.
        case .restoring, .discarding: return []
        // A person has let go of the original, whose pages will not come any more.
        case .fetching: return discard(.originalGone)
        case .lost(let reason): return discard(reason)
        }
    }

    private mutating func inquired() -> [TargetAction] {
        switch state {
        case .idle, .checking, .preparing, .receiving, .arrived:
            return giveUp(
                GodwitError(
                    .linkLost,
                    "the target had not taken custody when it was asked",
                    remedy: "start the move again"
                )
            )
        case .restoring: return [.send(.restoring)]
        case .fetching(let receipt): return [.send(.running(receipt))]
        case .lost(let reason): return [.send(.lost(reason))]
        case .finished(let receipt): return [.send(.finished(receipt))]
        case .cleaning(let reason), .declined(let reason): return [.send(.declined(reason))]
        case .closed: return [.send(.closed)]
        case .discarding: return []  // `declined` follows as soon as nothing can run here.
        }
    }

    private func incompatibility(of peer: Capabilities) -> Finding? {
        let newest = min(peer.newestVersion, capabilities.newestVersion)
        guard newest >= max(peer.oldestVersion, capabilities.oldestVersion) else {
            return Finding(
                "protocol",
                cause:
                    "the source speaks \(peer.oldestVersion) to \(peer.newestVersion), the "
                    + "target \(capabilities.oldestVersion) to \(capabilities.newestVersion)",
                cure: "bring the older of the two hosts up to date"
            )
        }
        let known = Set(capabilities.features.map(\.name))
        let missing = peer.features.filter { $0.isMandatory && !known.contains($0.name) }
        guard missing.isEmpty else {
            let names = missing.map(\.name).sorted().joined(separator: ", ")
            return Finding(
                "protocol",
                cause: "the target does not know the mandatory feature \(names)",
                cure: "bring the target up to date, or move without that feature"
            )
        }
        return nil
    }

    private func agree(with offer: Offer, on plan: Plan) -> Acceptance? {
        guard incompatibility(of: offer.capabilities) == nil else { return nil }
        let known = Set(capabilities.features.map(\.name))
        return Acceptance(
            version: min(offer.capabilities.newestVersion, capabilities.newestVersion),
            features: offer.capabilities.features.map(\.name).filter(known.contains),
            plan: plan
        )
    }
}
