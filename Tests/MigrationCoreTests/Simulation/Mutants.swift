import MigrationCore
import Testing

/// A rule of the protocol, broken on purpose.
struct Mutant: CustomTestStringConvertible, Sendable {
    let what: String
    let rules: @Sendable () -> Rules

    var testDescription: String { what }

    static let reason = Sample.error(.linkLost)

    static var revertingSource: SourceMachine {
        SourceMachine.resume(Sample.web, from: .reverting(reason)).0
    }

    private static var cleaningTarget: TargetMachine {
        TargetMachine.resume(from: .declined(reason), complete: nil).0
    }

    private static var restoringTarget: TargetMachine {
        var machine = TargetMachine()
        let offer = Sample.offer()
        _ = machine.handle(.received(.offer(offer)))
        _ = machine.handle(.checked(findings: [], plan: Sample.plan(for: offer)))
        _ = machine.handle(.prepared)
        _ = machine.handle(.stateArrived(Sample.digests))
        _ = machine.handle(.received(.custody))
        return machine
    }

    static let all: [Mutant] =
        custodyOfSource + custodyOfTarget + forgetfulness
        + serving + fetching + words

    private static let custodyOfSource = [
        Mutant(what: "the source reverts when the link breaks after it has offered custody") {
            var rules = Rules()
            rules.source = { machine, event in
                guard machine.state == .handingOver, event == .linkLost else {
                    return machine.handle(event)
                }
                machine = revertingSource
                return [.record(.reverting(reason)), .revert]
            }
            return rules
        },
        Mutant(what: "the source says custody before it has written it down") {
            var rules = Rules()
            rules.source = { machine, event in
                let actions = machine.handle(event)
                return actions.first == .record(.custodyOffered) ? actions.reversed() : actions
            }
            return rules
        },
        Mutant(what: "the source thaws when it starts again after it has offered custody") {
            var rules = Rules()
            rules.resumeSource = { record in
                guard record == .custodyOffered else {
                    return SourceMachine.resume(Sample.web, from: record)
                }
                return (revertingSource, [.record(.reverting(reason)), .revert])
            }
            return rules
        },
        Mutant(what: "the source ends the original before it has the receipt") {
            var rules = Rules()
            rules.source = { machine, event in
                if machine.state == .handingOver && event == .originalEnded { return [] }
                let actions = machine.handle(event)
                let isOffered = actions.first == .record(.custodyOffered)
                return isOffered ? actions + [.endOriginal] : actions
            }
            return rules
        },
        Mutant(what: "the source does not listen when custody is declined") {
            var rules = Rules()
            rules.source = { machine, event in
                if machine.state == .handingOver, case .received(.declined) = event { return [] }
                return machine.handle(event)
            }
            return rules
        },
    ]

    private static let custodyOfTarget = [
        Mutant(what: "the target declines before it has discarded") {
            var rules = Rules()
            rules.target = { machine, event in
                let actions = machine.handle(event)
                return actions == [.stopSteps, .discard]
                    ? [.send(.declined(reason))] + actions : actions
            }
            return rules
        },
        Mutant(what: "the target takes custody after it has declined") {
            var rules = Rules()
            rules.target = { machine, event in
                // Its own clean-up may end after the machine has gone on, which would be a trap.
                let isCleaning = event == .cleaned || event == .discarded
                if isCleaning && !machine.hasTurnedBack { return [] }
                // So may a fetch of before.
                if event.isOfFetch { return [] }
                guard machine.hasTurnedBack, event == .received(.custody) else {
                    return machine.handle(event)
                }
                machine = restoringTarget
                return [.stopSteps, .record(.taken), .restore]
            }
            return rules
        },
        Mutant(what: "the target says declined to a question and can still take custody") {
            var rules = Rules()
            rules.target = { machine, event in
                if case .arrived = machine.state, event == .received(.inquire) {
                    return [.send(.declined(reason))]
                }
                return machine.handle(event)
            }
            return rules
        },
        Mutant(what: "the target does not give up when the link breaks") {
            var rules = Rules()
            rules.target = { machine, event in event == .linkLost ? [] : machine.handle(event) }
            return rules
        },
    ]

    private static let forgetfulness = [
        Mutant(what: "the target starts again, forgets that it has taken custody, and declines") {
            var rules = Rules()
            rules.resumeTarget = { record, complete, lacks in
                guard record == .taken else {
                    return TargetMachine.resume(
                        from: record, complete: complete, lacksMemory: lacks)
                }
                return (
                    cleaningTarget,
                    [
                        .record(.declined(reason)), .send(.declined(reason)),
                        .cleanUp(after: reason),
                    ]
                )
            }
            return rules
        },
        Mutant(what: "the source starts again and ends what has come back under the same name") {
            var rules = Rules()
            rules.resumeSource = { record in
                guard case .ended(let receipt) = record else {
                    return SourceMachine.resume(Sample.web, from: record)
                }
                return SourceMachine.resume(Sample.web, from: .confirmed(receipt))
            }
            return rules
        },
        Mutant(what: "the target starts again and removes what has come under the same name") {
            var rules = Rules()
            rules.resumeTarget = { record, complete, lacks in
                guard case .cleaned(let reason) = record else {
                    return TargetMachine.resume(
                        from: record, complete: complete, lacksMemory: lacks)
                }
                return TargetMachine.resume(from: .declined(reason), complete: nil)
            }
            return rules
        },
    ]
}

extension TargetMachine {
    /// Whether it has turned back, and nothing but cleaning up is left.
    fileprivate var hasTurnedBack: Bool {
        switch state {
        case .discarding, .cleaning, .declined: true
        default: false
        }
    }
}

extension TargetEvent {
    /// Whether it is a fetch's report.
    var isOfFetch: Bool {
        switch self {
        case .fetched, .fetchFailed: true
        default: false
        }
    }
}
