import MigrationCore

/// Rules about memory that follows an instance, broken on purpose.
extension Mutant {
    static let serving = [
        Mutant(what: "the source ends the original as soon as the copy runs") {
            var rules = Rules()
            rules.source = { machine, event in
                guard machine.state == .handingOver, case .received(.running(let receipt)) = event
                else { return machine.handle(event) }
                return machine.handle(.received(.finished(receipt)))
            }
            return rules
        },
        Mutant(what: "the source thaws when the link breaks while it serves pages") {
            var rules = Rules()
            rules.source = { machine, event in
                guard case .serving = machine.state, event == .linkLost else {
                    return machine.handle(event)
                }
                machine = revertingSource
                return [.record(.reverting(reason)), .revert]
            }
            return rules
        },
        Mutant(what: "the source stops serving pages when the link breaks") {
            var rules = Rules()
            rules.source = { machine, event in
                let actions = machine.handle(event)
                guard event == .linkLost, actions == [.connect] else { return actions }
                return [.stopSteps] + actions
            }
            return rules.withoutPages { $0 == .servePages }
        },
        Mutant(what: "the source starts again and does not serve pages any more") {
            Rules().withoutPages { $0 == .servePages }
        },
        Mutant(what: "the source starts again and serves no page to a restore that waits for it") {
            var rules = Rules()
            rules.source = { machine, event in
                event == .received(.restoring) ? [] : machine.handle(event)
            }
            return rules
        },
        Mutant(what: "the source thaws when it hears that the target has lost the instance") {
            var rules = Rules()
            rules.source = { machine, event in
                guard case .received(.lost(let reason)) = event, machine.phase == .finish else {
                    return machine.handle(event)
                }
                return machine.handle(.received(.declined(reason)))
            }
            return rules
        },
    ]

    static let fetching = [
        Mutant(what: "the target gives up when the link breaks while it fetches") {
            var rules = Rules()
            rules.target = { machine, event in
                guard case .fetching = machine.state, event == .linkLost else {
                    return machine.handle(event)
                }
                return machine.handle(.givenUp(reason))
            }
            return rules
        },
        Mutant(what: "the target starts again and forgets that it lacks memory") {
            var rules = Rules()
            rules.resumeTarget = { record, complete, lacks in
                guard case .running(let receipt) = record else {
                    return TargetMachine.resume(
                        from: record, complete: complete, lacksMemory: lacks)
                }
                return TargetMachine.resume(from: .finished(receipt), complete: nil)
            }
            return rules
        },
        Mutant(what: "the target starts again after the restore and does not look for memory") {
            var rules = Rules()
            rules.resumeTarget = { record, complete, _ in
                TargetMachine.resume(from: record, complete: complete, lacksMemory: false)
            }
            return rules
        },
        Mutant(what: "the target starts again and does not fetch any more") {
            var rules = Rules()
            rules.resumeTarget = { record, complete, lacks in
                let (machine, actions) = TargetMachine.resume(
                    from: record, complete: complete, lacksMemory: lacks)
                return (machine, actions.filter { $0 != .fetch })
            }
            return rules
        },
        Mutant(what: "the target starts again and gives back what has run without all memory") {
            var rules = Rules()
            rules.resumeTarget = { record, complete, lacks in
                guard case .running = record else {
                    return TargetMachine.resume(
                        from: record, complete: complete, lacksMemory: lacks)
                }
                return TargetMachine.resume(from: .prepared, complete: nil)
            }
            return rules
        },
        Mutant(what: "the target says finished before it has fetched") {
            var rules = Rules()
            rules.target = { machine, event in
                if case .finished = machine.state, event.isOfFetch { return [] }
                if machine.state == .restoring(.onItsWay), case .restored = event {
                    _ = machine.handle(.fetched(nil))
                }
                return machine.handle(event)
            }
            return rules
        },
    ]

    static let words = [
        Mutant(what: "the target gives back what has run when its memory is out of reach") {
            var rules = Rules()
            rules.target = { machine, event in
                guard case .fetching = machine.state, case .fetchFailed(let reason) = event else {
                    return machine.handle(event)
                }
                return machine.handle(.givenUp(reason))
            }
            return rules
        },
        Mutant(what: "the target does not wait for the restore when memory is out of reach") {
            var rules = Rules()
            rules.target = { machine, event in
                guard machine.state == .restoring(.onItsWay), case .fetchFailed(let reason) = event
                else { return machine.handle(event) }
                return machine.handle(.stepFailed(reason))
            }
            return rules
        },
        Mutant(what: "the source thaws at a person's word while a linked target has lost it") {
            var rules = Rules()
            rules.source = { machine, event in
                guard case .deciding = machine.state, event == .resolved(.keepHere) else {
                    return machine.handle(event)
                }
                machine = revertingSource
                return [.record(.reverting(reason)), .revert]
            }
            return rules
        },
        Mutant(what: "the source says a person's word to a target that has lost it only once") {
            var rules = Rules()
            rules.source = { machine, event in
                if case .deciding(_, keeps: true) = machine.state, case .received(.lost) = event {
                    return []
                }
                return machine.handle(event)
            }
            return rules
        },
        Mutant(what: "the target discards what runs before it has written that a person said so") {
            var rules = Rules()
            rules.target = { machine, event in
                let isRunning =
                    switch machine.state {
                    case .fetching, .orphaned: true
                    default: false
                    }
                let actions = machine.handle(event)
                return isRunning && actions.last == .discard ? actions.suffix(2) : actions
            }
            return rules
        },
        Mutant(what: "a person can not decide about what the target has lost") {
            var rules = Rules()
            rules.source = { machine, event in
                if case .deciding = machine.state, case .resolved = event { return [] }
                return machine.handle(event)
            }
            return rules
        },
        Mutant(what: "the target discards a whole copy when a person lets go of the original") {
            var rules = Rules()
            rules.target = { machine, event in
                guard case .fetching = machine.state, event == .received(.acknowledged) else {
                    return machine.handle(event)
                }
                return machine.handle(.givenUp(reason))
            }
            return rules
        },
    ]
}

extension Rules {
    /// Without the actions named, unless they come with custody itself.
    fileprivate func withoutPages(
        _ isLeftOut: @escaping (SourceAction) -> Bool
    ) -> Rules {
        var rules = self
        let source = source
        rules.source = { machine, event in
            let actions = source(&machine, event)
            let isFirst = actions.first == .record(.custodyOffered)
            return isFirst ? actions : actions.filter { !isLeftOut($0) }
        }
        return rules
    }
}
