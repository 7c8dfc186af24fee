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
        case restoring(Memory)
        /// The instance runs, and memory that it lacks is on its way.
        case fetching(Receipt)
        /// The same, and a person has let go of the original: what is here is all that there is.
        case orphaned(Receipt)
        /// The instance has run and cannot go on here: a person decides.
        case lost(GodwitError)
        case finished(Receipt)
        case discarding(GodwitError)
        case cleaning(GodwitError)
        case declined(GodwitError)
        case closed
    }

    /// What is known of an instance's memory while it is restored.
    package enum Memory: Equatable, Sendable {
        case complete(MemoryReport.Fetch?)
        case onItsWay
        /// It will never be complete. Whether the instance has run by then, the restore knows.
        case outOfReach(GodwitError)
    }

    package private(set) var state = State.idle
    let capabilities: Capabilities

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
            return (machine, [.cleanUp(after: reason)])
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
        case .restoring, .fetching, .orphaned, .lost, .finished, .discarding, .cleaning, .declined,
            .closed:
            false
        }
    }

    /// Whether a person may give up what is here, although it may have run.
    package var canGiveUp: Bool {
        switch state {
        case .restoring(.onItsWay), .fetching, .orphaned, .lost: true
        case .idle, .checking, .preparing, .receiving, .arrived, .restoring, .finished, .discarding,
            .cleaning, .declined, .closed:
            false
        }
    }

    package var phase: Phase {
        switch state {
        case .idle: .begin
        case .checking, .preparing: .prepare
        case .receiving, .arrived: .perform
        case .restoring, .fetching, .orphaned, .lost, .discarding, .cleaning, .declined: .finish
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
        case .givenUp(let reason): canGiveUp ? discard(reason) : []
        case .stepFailed(let reason): stepFailed(reason)
        case .fetchFailed(let reason): fetchFailed(reason)
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
        case (.restoring(.complete(let fetched)), .restored(let receipt)):
            return finish(receipt, fetched)
        case (.restoring(.onItsWay), .restored(let receipt)):
            state = .fetching(receipt)
            return [.record(.running(receipt)), .send(.running(receipt))]
        case (.restoring(.outOfReach(let reason)), .restored): return lose(reason)
        case (.restoring(.onItsWay), .fetched(let fetched)):
            state = .restoring(.complete(fetched))
            return []
        case (.fetching(let receipt), .fetched(let fetched)),
            (.orphaned(let receipt), .fetched(let fetched)):
            return finish(receipt, fetched)
        case (.discarding(let reason), .discarded):
            state = .cleaning(reason)
            return [
                .record(.declined(reason)), .send(.declined(reason)), .cleanUp(after: reason),
            ]
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
        case .restoring(.outOfReach(let cause)): discard(cause)
        case .restoring: discard(reason)
        case .fetching: lose(reason)
        default: giveUp(reason)
        }
    }

    private mutating func fetchFailed(_ reason: GodwitError) -> [TargetAction] {
        switch state {
        case .restoring(.onItsWay):
            // The restore may have ended in this moment, and clients may have seen the instance.
            state = .restoring(.outOfReach(reason))
            return []
        case .fetching: return lose(reason)
        case .orphaned: return discard(.originalGone)
        case .discarding, .cleaning, .declined, .closed: return []
        default: preconditionFailure("the target's own fetch failed in \(state)")
        }
    }

    /// It has run, so that giving it back would undo what clients have seen.
    private mutating func lose(_ reason: GodwitError) -> [TargetAction] {
        state = .lost(reason)
        return [.stopSteps, .record(.lost(reason)), .send(.lost(reason))]
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
        case .restoring, .fetching, .orphaned, .lost, .finished, .discarding, .cleaning, .declined,
            .closed:
            return []
        }
    }

    private mutating func discard(_ reason: GodwitError) -> [TargetAction] {
        precondition(phase < .confirm, "what is finished is not discarded")
        let before = state
        state = .discarding(reason)
        switch before {
        // A restart must not go on with what is half discarded, and nothing but a person's word
        // brought it here.
        case .fetching, .orphaned: return [.record(.lost(reason)), .stopSteps, .discard]
        default: return [.stopSteps, .discard]
        }
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
        case .checking, .preparing, .receiving, .arrived, .restoring, .fetching, .orphaned, .lost,
            .finished,
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
            state = .restoring(canFetch ? .onItsWay : .complete(nil))
            return [.record(.taken), .restore] + (canFetch ? [.fetch] : [])
        case .cleaning(let reason), .declined(let reason): return [.send(.declined(reason))]
        // A repetition, or answered soon.
        case .restoring, .fetching, .orphaned, .lost, .finished, .closed, .discarding: return []
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
        // The last page may have come, and it is not told yet.
        case .fetching(let receipt):
            state = .orphaned(receipt)
            return [.endFetch]
        case .orphaned: return [.endFetch]
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
        case .fetching(let receipt), .orphaned(let receipt): return [.send(.running(receipt))]
        case .lost(let reason): return [.send(.lost(reason))]
        case .finished(let receipt): return [.send(.finished(receipt))]
        case .cleaning(let reason), .declined(let reason): return [.send(.declined(reason))]
        case .closed: return [.send(.closed)]
        case .discarding: return []  // `declined` follows as soon as nothing can run here.
        }
    }
}
