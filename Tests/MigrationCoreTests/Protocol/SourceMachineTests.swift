import MigrationCore
import Testing

@Suite struct SourceMachineTests {
    private let offer = Sample.offer()

    @Test func `a migration goes through the five phases, one action list after the other`() {
        let acceptance = Sample.acceptance(for: offer)
        let receipt = Sample.receipt
        let expected: [[SourceAction]] = [
            [.record(.begun), .inspect],
            [.connect],
            [.send(.offer(offer))],
            [.sendVolumes(acceptance)],
            [.freeze],
            [.sendState],
            [],
            [.record(.custodyOffered), .send(.custody)],
            [.record(.confirmed(receipt)), .endOriginal],
            [.record(.ended(receipt)), .send(.acknowledged), .conclude(.moved(receipt))],
            [.record(.closed), .disconnect],
        ]
        var machine = SourceMachine(name: Sample.web)
        for (way, actions) in zip(States.wayOfSource, expected) {
            #expect(machine.handle(way.1) == actions, "\(way.0)")
        }
        #expect(machine.state == .closed(.moved(receipt)))
    }

    /// What each state answers to each of our own steps; `trap` is a bug of ours.
    @Test func `a step that ends out of turn is ignored only after the machine has turned back`() {
        let turnedBack = ["withdrawing", "planned", "reverting", "not moved", "closed"]
        for state in States.sources where turnedBack.contains(state.name) {
            for event in Self.steps where event != .reverted {
                var machine = state.machine
                #expect(machine.handle(event) == [], "\(event.text) in \(state)")
                #expect(machine == state.machine)
            }
        }
    }

    static let steps: [SourceEvent] = [
        .started, .inspected(Sample.offer()), .volumesSent, .frozen, .stateSent(Sample.digests),
        .reverted, .originalEnded,
    ]

    @Test func `each of our own steps out of turn is a trap`() async {
        await #expect(processExitsWith: .failure) { _ = States.source([.volumesSent]) }
        await #expect(processExitsWith: .failure) { _ = States.source([.started, .started]) }
        await #expect(processExitsWith: .failure) { _ = States.source([.started, .frozen]) }
        await #expect(processExitsWith: .failure) { _ = States.source([.started, .reverted]) }
        await #expect(processExitsWith: .failure) {
            _ = States.source([.started, .stateSent(Sample.digests)])
        }
        await #expect(processExitsWith: .failure) {
            _ = States.source(States.wayOfSource[...7].map(\.1) + [.originalEnded])
        }
    }

    @Test func `an offer that speaks for another machine or instance is a trap`() async {
        await #expect(processExitsWith: .failure) {
            let other = Capabilities(oldestVersion: 1, newestVersion: 9, features: [])
            _ = States.source([.started, .inspected(Sample.offer(capabilities: other))])
        }
        await #expect(processExitsWith: .failure) {
            var machine = SourceMachine(name: Sample.name("db"))
            _ = machine.handle(.started)
            _ = machine.handle(.inspected(Sample.offer()))
        }
        await #expect(processExitsWith: .failure) {
            let bad = Capabilities(oldestVersion: 2, newestVersion: 1, features: [])
            _ = SourceMachine(name: Sample.web, capabilities: bad)
        }
    }

    @Test func `nothing that a peer says traps, thaws after custody, or goes backwards`() {
        for state in States.sources {
            for message in Sample.messages {
                var machine = state.machine
                let actions = machine.handle(.received(message))
                #expect(machine.phase >= state.machine.phase)
                if !state.machine.canCancel && message.word != "declined" {
                    #expect(!actions.contains(.revert), "\(message.word) in \(state)")
                }
            }
        }
    }

    /// For each state in which the peer has a say: what it may say without being told off.
    private static let expected: [String: [String]] = [
        "idle": [], "inspecting": [],
        "offering": ["accepted", "refused"],
        "offering, linked": ["accepted", "refused"],
        "sending": ["accepted"], "freezing": ["accepted"],
        "transferring": ["accepted", "arrived"],
        "transferring, sent": ["accepted", "arrived"],
        "transferring, arrived": ["accepted", "arrived"],
    ]

    @Test func `a peer's nonsense before custody ends in a clean abort in every state`() {
        for state in States.sources where state.machine.canCancel {
            let allowed = (Self.expected[state.name] ?? []) + ["declined", "abort"]
            for message in Sample.messages where !allowed.contains(message.word) {
                var machine = state.machine
                let actions = machine.handle(.received(message))
                #expect(actions.last.map(Self.isEnd) == true, "\(message.word) in \(state)")
                switch machine.state {
                case .reverting(let reason), .closed(.notMoved(let reason)):
                    #expect(reason.code == .protocolViolation)
                default: Issue.record("\(message.word) in \(state) went on")
                }
            }
        }
    }

    private static func isEnd(_ action: SourceAction) -> Bool {
        switch action {
        case .revert, .conclude, .send(.abort): true
        default: false
        }
    }

    @Test func `a peer that gives up before custody is obeyed in every state`() {
        for state in States.sources where state.machine.canCancel && state.name != "idle" {
            for message in [Message.declined(Sample.error()), .abort(Sample.error())] {
                var machine = state.machine
                let reverting = SourceRecord.reverting(Sample.error())
                #expect(
                    machine.handle(.received(message)) == [
                        .stopSteps, .record(reverting), .revert,
                    ]
                )
            }
        }
    }

    @Test func `a cancel, a failed step or a lost link before custody brings the instance back`() {
        let events: [SourceEvent] = [.cancelled(Sample.error()), .stepFailed(Sample.error())]
        for state in States.sources where state.machine.canCancel && state.name != "idle" {
            for event in events {
                var machine = state.machine
                let actions = machine.handle(event)
                let said: [SourceAction] =
                    state.machine.isLinked ? [.send(.abort(Sample.error()))] : []
                #expect(
                    actions == [.stopSteps, .record(.reverting(Sample.error())), .revert] + said
                )
                #expect(machine.handle(.reverted).last == .disconnect)
                #expect(machine.state == .closed(.notMoved(Sample.error())))
            }
        }
    }

    @Test func `after custody was offered neither cancel nor failure nor lost link thaws`() {
        let events: [SourceEvent] = [
            .cancelled(Sample.error()), .stepFailed(Sample.error()), .linkLost, .linked,
        ]
        for state in States.sources where !state.machine.canCancel {
            for event in events {
                var machine = state.machine
                #expect(!machine.handle(event).contains(.revert), "\(event.text) in \(state)")
                #expect(machine.phase == state.machine.phase)
            }
        }
    }

    @Test func `a link that comes back makes the source say where it stands`() {
        let answers: [String: SourceAction] = [
            "offering": .send(.offer(offer)), "handingOver": .send(.inquire),
            "acknowledging": .send(.acknowledged), "serving": .send(.inquire),
            "deciding": .send(.inquire), "deciding, kept": .send(.inquire),
        ]
        for state in States.sources {
            guard let answer = answers[state.name] else { continue }
            var machine = state.machine
            #expect(machine.handle(.linked) == [answer], "\(state)")
        }
    }

    @Test func `a difference in digests names the volume and gives nothing away`() {
        var machine = States.source(States.wayOfSource[...6].map(\.1))
        let actions = machine.handle(.received(.arrived(Sample.otherDigests)))
        #expect(!actions.contains(.record(.custodyOffered)))
        guard case .reverting(let reason) = machine.state else {
            Issue.record("went on")
            return
        }
        #expect(reason.code == .volumeDiffers)
        #expect(reason.message.contains("volume root"))
    }

    @Test func `a receipt repeated while it is acknowledged is acknowledged again`() {
        var machine = States.source(States.wayOfSource[...9].map(\.1))
        let again = machine.handle(.received(.finished(Sample.receipt)))
        #expect(again == [.send(.acknowledged)])
    }

    @Test func `a person decides only while the target has the say and cannot be reached`() {
        let can = Set(States.sources.filter(\.machine.canResolve).map(\.name))
        let unlinked = ["resumed from custodyOffered", "resumed from ended"]
        #expect(can == Set(unlinked + ["deciding", "deciding, kept"]))
        for state in States.sources where !state.machine.canResolve {
            for resolution in [Resolution.keepHere, .gone] {
                var machine = state.machine
                #expect(machine.handle(.resolved(resolution)) == [], "\(state)")
            }
        }
    }

    @Test func `what a person decides is done`() {
        let (offered, _) = SourceMachine.resume(Sample.web, from: .custodyOffered)
        var machine = offered
        #expect(machine.handle(.resolved(.keepHere)).contains(.revert))
        machine = offered
        #expect(machine.handle(.resolved(.gone)).last == .endOriginal)
        (machine, _) = SourceMachine.resume(Sample.web, from: .ended(Sample.receipt))
        #expect(machine.handle(.resolved(.keepHere)) == [])
        #expect(machine.handle(.resolved(.gone)) == [.record(.closed), .disconnect])
    }

    @Test func `a dry run ends with the plan and leaves nothing`() {
        var machine = States.source(States.dryRun)
        let plan = Sample.plan(for: offer)
        #expect(machine.state == .withdrawing(plan))
        #expect(
            machine.handle(.reverted) == [
                .conclude(.planned(plan)), .record(.closed), .disconnect,
            ]
        )
    }
}
