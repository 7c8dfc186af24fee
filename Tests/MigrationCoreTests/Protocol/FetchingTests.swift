import MigrationCore
import Testing

/// The target while memory follows the instance.
@Suite struct FetchingTests {
    private let reason = Sample.error(.memoryDiffers)
    private let receipt = Sample.receipt

    private var whole: Receipt {
        var receipt = Sample.receipt
        receipt.fetched = Sample.fetch
        return receipt
    }

    private var fetching: TargetMachine { States.target(States.toFetch + [.restored(receipt)]) }
    private var lost: TargetMachine {
        States.target(States.toFetch + [.restored(receipt), .fetchFailed(reason)])
    }

    private func ending(_ receipt: Receipt) -> [TargetAction] {
        [
            .record(.finished(receipt)), .adopt(receipt), .send(.finished(receipt)),
            .conclude(.moved(receipt)),
        ]
    }

    @Test func `the instance runs, then its memory comes, then it is finished`() {
        var machine = States.target(States.toFetch.dropLast())
        #expect(machine.handle(.received(.custody)) == [.record(.taken), .restore, .fetch])
        #expect(
            machine.handle(.restored(receipt)) == [
                .record(.running(receipt)), .send(.running(receipt)),
            ]
        )
        #expect(machine.handle(.received(.inquire)) == [.send(.running(receipt))])
        #expect(machine.handle(.fetched(Sample.fetch)) == ending(whole))
    }

    @Test func `memory that is there before the restore ends makes it an ordinary move`() {
        for (fetched, told) in [(nil, receipt), (Sample.fetch, whole)] {
            var machine = States.target(States.toFetch)
            #expect(machine.handle(.fetched(fetched)) == [])
            #expect(machine.handle(.received(.inquire)) == [.send(.restoring)])
            #expect(machine.handle(.restored(receipt)) == ending(told))
        }
    }

    @Test func `while it fetches neither link nor peer nor operator ends it`() {
        let words = Sample.messages.filter { !["inquire", "acknowledged"].contains($0.word) }
        let events =
            words.map { TargetEvent.received($0) } + [.linkLost, .cancelled(Sample.error())]
        for event in events {
            var machine = fetching
            #expect(machine.handle(event) == [], "\(event.text)")
            #expect(machine == fetching)
        }
    }

    @Test func `memory out of reach before the restore has ended is decided by the restore`() {
        var machine = States.target(States.toFetch)
        #expect(machine.handle(.fetchFailed(reason)) == [])
        #expect(machine.handle(.received(.inquire)) == [.send(.restoring)])
        var failed = machine
        #expect(failed.handle(.stepFailed(Sample.error())) == [.stopSteps, .discard])
        #expect(failed.state == .discarding(reason))
        #expect(
            machine.handle(.restored(receipt)) == [
                .stopSteps, .record(.lost(reason)), .send(.lost(reason)),
            ]
        )
    }

    @Test func `a restore that fails while memory is on its way gives custody back`() {
        var machine = States.target(States.toFetch)
        #expect(machine.handle(.stepFailed(reason)) == [.stopSteps, .discard])
        #expect(machine.handle(.fetched(nil)) == [])
        #expect(machine.handle(.discarded).contains(.send(.declined(reason))))
    }

    @Test func `memory out of reach for good is told, and nothing is given back`() {
        var machine = fetching
        #expect(
            machine.handle(.fetchFailed(reason)) == [
                .stopSteps, .record(.lost(reason)), .send(.lost(reason)),
            ]
        )
        #expect(machine.handle(.received(.inquire)) == [.send(.lost(reason))])
        for message in Sample.messages
        where !["inquire", "acknowledged", "abort"].contains(message.word) {
            #expect(machine.handle(.received(message)) == [], "\(message.word)")
        }
        #expect(machine.handle(.linkLost) == [])
        #expect(machine.handle(.cancelled(reason)) == [])
        #expect(machine == lost)
    }

    @Test func `a person's word ends what is lost, whichever side hears it`() {
        for event in [
            TargetEvent.received(.abort(reason)), .received(.acknowledged), .givenUp(reason),
        ] {
            var machine = lost
            #expect(machine.handle(event) == [.stopSteps, .discard], "\(event.text)")
            #expect(machine.handle(.discarded).first == .record(.declined(reason)))
        }
    }

    @Test func `what runs is given up by a person alone, and that is written first`() {
        for start in [fetching, States.target(States.toFetch)] {
            var machine = start
            let isWritten = start == fetching
            #expect(machine.canGiveUp && !machine.canCancel)
            #expect(
                machine.handle(.givenUp(reason))
                    == (isWritten ? [.record(.lost(reason))] : []) + [.stopSteps, .discard])
        }
        for state in States.targets where !state.machine.canGiveUp {
            var machine = state.machine
            #expect(machine.handle(.givenUp(reason)) == [], "\(state)")
            #expect(machine == state.machine)
        }
        let can = Set(States.targets.filter(\.machine.canGiveUp).map(\.name))
        #expect(can.isSuperset(of: ["fetching", "orphaned", "lost", "restoring, to fetch"]))
        #expect(can.isDisjoint(with: ["restoring", "restoring, fetched", "finished", "arrived"]))
    }

    @Test func `when the original is given up, the fetch tells whether the copy is whole`() {
        var machine = fetching
        #expect(machine.handle(.received(.acknowledged)) == [.endFetch])
        #expect(machine.handle(.received(.acknowledged)) == [.endFetch])
        var incomplete = machine
        #expect(machine.handle(.fetched(Sample.fetch)) == ending(whole))
        let actions = incomplete.handle(.fetchFailed(reason))
        #expect(actions == [.record(.lost(.originalGone)), .stopSteps, .discard])
    }

    @Test func `a restart goes on with what is written and what is found`() {
        typealias Machine = TargetMachine
        let (found, first) = Machine.resume(from: .taken, complete: receipt, lacksMemory: true)
        #expect(found.state == .fetching(receipt))
        #expect(first == [.record(.running(receipt)), .fetch])
        let (complete, _) = Machine.resume(from: .taken, complete: receipt)
        #expect(complete.state == .finished(receipt))
        let (partial, _) = Machine.resume(from: .taken, complete: nil, lacksMemory: true)
        #expect(partial.state == .discarding(Sample.error()))
        let (running, second) = Machine.resume(from: .running(receipt), complete: nil)
        #expect(running.state == .fetching(receipt))
        #expect(second == [.fetch])
        let (waiting, third) = Machine.resume(from: .lost(reason), complete: nil)
        #expect(waiting.state == .lost(reason))
        #expect(third == [])
    }

    @Test func `a fetch that was not asked for, or ends twice, is a trap`() async {
        await #expect(processExitsWith: .failure) {
            _ = States.target(States.wayOfTarget[...4].map(\.1) + [.fetched(nil)])
        }
        await #expect(processExitsWith: .failure) {
            _ = States.target(States.toFetch + [.fetched(nil), .fetched(nil)])
        }
        await #expect(processExitsWith: .failure) {
            let failed = TargetEvent.fetchFailed(Sample.error())
            _ = States.target(States.toFetch + [failed, failed])
        }
        await #expect(processExitsWith: .failure) {
            _ = States.target(States.toFetch + [.restored(Sample.receipt), .prepared])
        }
    }
}
