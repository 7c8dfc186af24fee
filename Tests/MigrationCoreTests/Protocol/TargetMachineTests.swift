import MigrationCore
import Testing

@Suite struct TargetMachineTests {
    private let offer = Sample.offer()

    @Test func `a migration is checked, prepared, received, taken and finished`() {
        let plan = Sample.plan(for: offer)
        let receipt = Sample.receipt
        let expected: [[TargetAction]] = [
            [.check(offer)],
            [.record(.prepared), .prepare(offer, plan)],
            [.receiveState, .send(.accepted(Sample.acceptance(for: offer)))],
            [.send(.arrived(Sample.digests))],
            [.record(.taken), .restore],
            [
                .record(.finished(receipt)), .adopt(receipt), .send(.finished(receipt)),
                .conclude(.moved(receipt)),
            ],
            [.record(.closed), .send(.closed), .disconnect],
        ]
        var machine = TargetMachine()
        for (way, actions) in zip(States.wayOfTarget, expected) {
            #expect(machine.handle(way.1) == actions, "\(way.0)")
        }
        #expect(machine.state == .closed)
    }

    @Test func `each of our own steps out of turn is a trap`() async {
        await #expect(processExitsWith: .failure) { _ = States.target([.prepared]) }
        await #expect(processExitsWith: .failure) { _ = States.target([.discarded]) }
        await #expect(processExitsWith: .failure) {
            _ = States.target([.checked(findings: [], plan: nil)])
        }
        await #expect(processExitsWith: .failure) {
            _ = States.target([
                .received(.offer(Sample.offer())), .restored(Sample.receipt),
            ])
        }
        await #expect(processExitsWith: .failure) {
            _ = States.target(States.wayOfTarget[...5].map(\.1) + [.restored(Sample.receipt)])
        }
    }

    @Test func `a refusal without a reason and a plan for another offer are traps`() async {
        await #expect(processExitsWith: .failure) {
            _ = States.target([
                .received(.offer(Sample.offer())), .checked(findings: [], plan: nil),
            ])
        }
        await #expect(processExitsWith: .failure) {
            let other = Sample.offer(options: MoveOptions(isPaused: true))
            _ = States.target([
                .received(.offer(Sample.offer())),
                .checked(findings: [], plan: Sample.plan(for: other)),
            ])
        }
        await #expect(processExitsWith: .failure) {
            _ = TargetMachine.resume(from: .prepared, complete: Sample.receipt)
        }
    }

    @Test func `nothing that a peer says traps, goes backwards, or takes what was declined`() {
        for state in States.targets {
            for message in Sample.messages {
                var machine = state.machine
                let actions = machine.handle(.received(message))
                #expect(machine.phase >= state.machine.phase, "\(message.word) in \(state)")
                let takes = actions.contains(.record(.taken))
                #expect(takes == (state.name == "arrived" && message.word == "custody"))
            }
        }
    }

    @Test func `a decline is said only after nothing can run here`() {
        for state in States.targets where state.machine.canCancel {
            for message in Sample.messages {
                var machine = state.machine
                let actions = machine.handle(.received(message))
                let hasVolume = !["idle", "checking"].contains(state.name)
                let says = actions.contains {
                    if case .send(.declined) = $0 { true } else { false }
                }
                #expect(!(hasVolume && says), "\(message.word) in \(state)")
                if hasVolume && machine.phase == .finish && message.word != "custody" {
                    #expect(actions == [.stopSteps, .discard], "\(message.word) in \(state)")
                }
            }
        }
    }

    @Test func `a peer's nonsense before custody ends in a decline in every state`() {
        let nonsense = [
            "accepted", "refused", "arrived", "finished", "declined", "closed", "running", "lost",
        ]
        for state in States.targets where state.machine.canCancel {
            for message in Sample.messages where nonsense.contains(message.word) {
                var machine = state.machine
                _ = machine.handle(.received(message))
                switch machine.state {
                case .discarding(let reason), .declined(let reason):
                    #expect(reason.code == .protocolViolation, "\(message.word) in \(state)")
                default: Issue.record("\(message.word) in \(state) went on")
                }
            }
        }
    }

    @Test func `after custody was taken neither link nor peer nor operator ends the restore`() {
        let restoring = States.target(States.wayOfTarget[...4].map(\.1))
        let words = Sample.messages.filter { $0.word != "inquire" }
        let events =
            words.map { TargetEvent.received($0) } + [.linkLost, .cancelled(Sample.error())]
        for event in events {
            var machine = restoring
            #expect(machine.handle(event) == [], "\(event.text)")
            #expect(machine == restoring)
        }
        var machine = restoring
        #expect(machine.handle(.received(.inquire)) == [.send(.restoring)])
    }

    @Test func `a failed restore is discarded, then declined, then cleaned up`() {
        var machine = States.target(States.wayOfTarget[...4].map(\.1))
        let reason = Sample.error(.restoreFailed)
        #expect(machine.handle(.stepFailed(reason)) == [.stopSteps, .discard])
        #expect(machine.handle(.received(.inquire)) == [])
        #expect(
            machine.handle(.discarded) == [
                .record(.declined(reason)), .send(.declined(reason)), .cleanUp(after: reason),
            ]
        )
        #expect(machine.handle(.received(.inquire)) == [.send(.declined(reason))])
        #expect(
            machine.handle(.cleaned) == [
                .conclude(.notMoved(reason)), .record(.cleaned(reason)), .disconnect,
            ]
        )
        #expect(machine.handle(.received(.custody)) == [.send(.declined(reason))])
    }

    @Test func `a step that ends after the machine has turned back changes nothing`() {
        let turnedBack = ["discarding", "cleaning", "declined", "closed"]
        let steps: [TargetEvent] = [
            .prepared, .stateArrived(Sample.digests), .restored(Sample.receipt), .fetched(nil),
            .fetchFailed(Sample.error()),
        ]
        for state in States.targets where turnedBack.contains(state.name) {
            for step in steps {
                var machine = state.machine
                #expect(machine.handle(step) == [])
                #expect(machine == state.machine)
            }
        }
    }

    @Test func `whoever asks about a migration that is not known here gets a promise`() {
        var machine = TargetMachine()
        let actions = machine.handle(.received(.inquire))
        let reason = Sample.error(.linkLost)
        #expect(
            actions == [
                .stopSteps, .conclude(.notMoved(reason)), .record(.cleaned(reason)),
                .send(.declined(reason)),
            ]
        )
        #expect(machine.handle(.received(.offer(offer))) == [.send(.declined(reason))])
    }

    @Test func `a dry run is answered and forgotten`() {
        let dry = Sample.offer(isDryRun: true)
        var machine = States.target([.received(.offer(dry))])
        let plan = Sample.plan(for: dry)
        #expect(
            machine.handle(.checked(findings: [], plan: plan)) == [
                .send(.accepted(Sample.acceptance(for: dry))), .conclude(.planned(plan)),
                .disconnect,
            ]
        )
    }
}
