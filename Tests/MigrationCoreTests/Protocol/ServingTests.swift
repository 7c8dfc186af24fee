import MigrationCore
import Testing

/// The source while memory follows the instance.
@Suite struct ServingTests {
    private let reason = Sample.error(.memoryDiffers)
    private let receipt = Sample.receipt

    private var serving: SourceMachine {
        States.source(States.toServe + [.received(.running(receipt))])
    }

    private var deciding: SourceMachine {
        States.source(States.toServe + [.received(.lost(reason))])
    }

    @Test func `pages are served from custody on, and the original ends when all have come`() {
        var machine = States.source(States.toServe.dropLast())
        let arrived = SourceEvent.received(.arrived(Sample.digests))
        #expect(
            machine.handle(arrived) == [.record(.custodyOffered), .send(.custody), .servePages])
        #expect(machine.handle(.received(.running(receipt))) == [.servePages])
        #expect(machine.state == .serving(receipt))
        #expect(machine.handle(.received(.running(receipt))) == [])
        #expect(
            machine.handle(.received(.finished(receipt))) == [
                .record(.confirmed(receipt)), .stopSteps, .endOriginal,
            ]
        )
    }

    @Test func `post-copy that is allowed and not used ends like any other move`() {
        var machine = States.source(States.toServe)
        #expect(machine.handle(.received(.finished(receipt))).last == .endOriginal)
    }

    @Test func `while it serves nothing but the target or a person touches the original`() {
        let words = Sample.messages.filter { !["finished", "declined", "lost"].contains($0.word) }
        let said = words.map { SourceEvent.received($0) }
        let events: [SourceEvent] = [
            .cancelled(reason), .stepFailed(reason), .linked, .linkLost,
            .resolved(.keepHere), .resolved(.gone),
        ]
        for event in said + events {
            var machine = serving
            let actions = machine.handle(event)
            #expect(machine.state == .serving(receipt), "\(event.text)")
            #expect(!actions.contains(.revert) && !actions.contains(.endOriginal))
            #expect(!actions.contains(.stopSteps), "\(event.text)")
        }
    }

    @Test func `a broken link is joined again and asked about`() {
        var machine = serving
        #expect(machine.handle(.linkLost) == [.connect])
        #expect(machine.canResolve)
        #expect(machine.handle(.linked) == [.send(.inquire)])
        #expect(!machine.canResolve)
    }

    @Test func `after a restart it serves as soon as it hears that pages may be missing`() {
        for (message, isServing) in [(Message.restoring, false), (.running(receipt), true)] {
            var (machine, actions) = SourceMachine.resume(Sample.web, from: .custodyOffered)
            #expect(actions == [.connect])
            #expect(machine.handle(.linked) == [.send(.inquire)])
            #expect(machine.handle(.received(message)) == [.servePages])
            #expect(machine.state == (isServing ? .serving(receipt) : .handingOver))
        }
        var plain = States.source(States.wayOfSource[...7].map(\.1))
        #expect(plain.handle(.received(.restoring)) == [], "no memory follows by this plan")
    }

    @Test func `what is lost waits for a person, linked or not`() {
        for start in [States.source(States.toServe), serving] {
            var machine = start
            #expect(machine.handle(.received(.lost(reason))) == [])
            #expect(machine.state == .deciding(reason, keeps: false))
            #expect(machine.canResolve && !machine.canCancel)
            for message in Sample.messages where message.word != "declined" {
                #expect(machine.handle(.received(message)) == [], "\(message.word)")
            }
            #expect(machine.handle(.linkLost) == [.connect])
            #expect(machine.canResolve)
            #expect(machine.handle(.linked) == [.send(.inquire)])
        }
    }

    @Test func `keeping it here waits for the promise of a linked target`() {
        var machine = deciding
        let asked = [SourceAction.send(.abort(.keptByPerson))]
        #expect(machine.handle(.resolved(.keepHere)) == asked)
        #expect(machine.handle(.linkLost) == [.connect])
        #expect(machine.handle(.linked) == [.send(.inquire)])
        #expect(machine.handle(.received(.lost(reason))) == asked, "it is not forgotten")
        #expect(
            machine.handle(.received(.declined(.keptByPerson))) == [
                .stopSteps, .record(.reverting(.keptByPerson)), .revert,
            ]
        )
    }

    @Test func `keeping it here does not wait for a target that is out of reach`() {
        for isAskedBefore in [false, true] {
            var machine = deciding
            if isAskedBefore { _ = machine.handle(.resolved(.keepHere)) }
            _ = machine.handle(.linkLost)
            #expect(machine.handle(.resolved(.keepHere)).last == .revert)
        }
    }

    @Test func `nobody is told that what was given up has moved`() {
        var machine = deciding
        #expect(machine.handle(.resolved(.gone)).last == .endOriginal)
        let loss = Receipt(name: Sample.web, isRunning: false, milliseconds: [:], loss: reason)
        #expect(
            machine.handle(.originalEnded) == [
                .record(.ended(loss)), .send(.acknowledged), .conclude(.notMoved(reason)),
            ]
        )
        let (_, again) = SourceMachine.resume(Sample.web, from: .ended(loss))
        #expect(again == [.connect, .conclude(.notMoved(reason))])
        #expect(
            machine.handle(.received(.declined(reason))) == [
                .conclude(.notMoved(reason)), .record(.closed), .disconnect,
            ]
        )
    }
}
