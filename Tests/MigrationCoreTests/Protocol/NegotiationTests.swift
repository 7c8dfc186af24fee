import MigrationCore
import Testing

@Suite struct NegotiationTests {
    private func speaks(
        _ versions: ClosedRange<Int>,
        _ features: [Capabilities.Feature] = []
    ) -> Capabilities {
        Capabilities(
            oldestVersion: versions.lowerBound,
            newestVersion: versions.upperBound,
            features: features
        )
    }

    /// What the target answers to an offer with these capabilities.
    private func answer(of target: Capabilities, to source: Capabilities) -> Message? {
        let offer = Sample.offer(capabilities: source)
        var machine = TargetMachine(capabilities: target)
        var actions = machine.handle(.received(.offer(offer)))
        if actions == [.check(offer)] {
            _ = machine.handle(.checked(findings: [], plan: Sample.plan(for: offer)))
            actions = machine.handle(.prepared)
        }
        for case .send(let message) in actions { return message }
        return nil
    }

    private func acceptance(of target: Capabilities, to source: Capabilities) -> Acceptance? {
        guard case .accepted(let acceptance)? = answer(of: target, to: source) else { return nil }
        return acceptance
    }

    @Test func `the newest version that both know is taken`() {
        #expect(acceptance(of: speaks(1...3), to: speaks(1...2))?.version == 2)
        #expect(acceptance(of: speaks(1...2), to: speaks(1...5))?.version == 2)
        #expect(acceptance(of: speaks(3...4), to: speaks(1...3))?.version == 3)
    }

    @Test(arguments: [(1...2, 3...4), (3...4, 1...2), (0...0, 1...1)])
    func `ranges that do not meet are refused with both named`(
        target: ClosedRange<Int>,
        source: ClosedRange<Int>
    ) throws {
        guard case .refused(let findings)? = answer(of: speaks(target), to: speaks(source)) else {
            Issue.record("not refused")
            return
        }
        let cause = try #require(findings.first).cause
        #expect(cause.contains("\(source.lowerBound) to \(source.upperBound)"))
        #expect(cause.contains("\(target.lowerBound) to \(target.upperBound)"))
    }

    @Test func `versions that no peer could mean are refused, not trapped`() {
        let absurd = [(5, 1), (Int.max, Int.min), (Int.min, -1), (Int.max, Int.max)]
        for (oldest, newest) in absurd {
            let source = Capabilities(oldestVersion: oldest, newestVersion: newest, features: [])
            var machine = TargetMachine()
            let offer = Sample.offer(capabilities: source)
            let actions = machine.handle(.received(.offer(offer)))
            #expect(!actions.contains(.check(offer)), "\(oldest) to \(newest)")
        }
    }

    @Test func `an optional feature that the target does not know is dropped`() {
        let source = speaks(1...1, [.init("tree-digest"), .init("telepathy")])
        let target = speaks(1...1, [.init("tree-digest"), .init("state-digest")])
        #expect(acceptance(of: target, to: source)?.features == ["tree-digest"])
    }

    @Test func `a mandatory feature that the target does not know is refused by name`() {
        let source = speaks(1...1, [.init("telepathy", isMandatory: true)])
        guard case .refused(let findings)? = answer(of: speaks(1...1), to: source) else {
            Issue.record("not refused")
            return
        }
        #expect(findings.first?.cause.contains("telepathy") == true)
    }

    private func reaction(to acceptance: Acceptance, from own: Capabilities) -> SourceMachine {
        States.source(
            [
                .started, .inspected(Sample.offer(capabilities: own)), .linked,
                .received(.accepted(acceptance)),
            ],
            capabilities: own
        )
    }

    @Test func `an older target's acceptance is obeyed`() {
        let own = speaks(1...3, [.init("tree-digest"), .init("new")])
        let older = speaks(1...1, [.init("tree-digest")])
        let acceptance = acceptance(of: older, to: own)
        #expect(acceptance?.version == 1)
        guard let acceptance else { return }
        #expect(reaction(to: acceptance, from: own).state == .sending(acceptance))
    }

    @Test func `an acceptance of what was not offered is refused`() {
        let own = speaks(1...2, [.init("new", isMandatory: true)])
        let good = Acceptance(version: 2, features: ["new"], plan: Sample.plan(for: Sample.offer()))
        #expect(reaction(to: good, from: own).state == .sending(good))
        var bad = [good, good, good]
        bad[0].version = 3
        bad[1].features = ["new", "newer"]
        bad[2].features = []
        for acceptance in bad {
            let state = reaction(to: acceptance, from: own).state
            #expect(state == .reverting(Sample.error(.peerIncompatible)))
        }
    }

    @Test func `memory follows only if it was asked for, and the source can have it follow`() {
        let options = MoveOptions(memory: Sample.postcopy)
        let offer = Sample.offer(options: options)
        let plan = Sample.plan(for: offer)
        #expect(plan.canFetch && plan.isAnswer(to: offer))
        let unable = Capabilities.own.without(.postcopy)
        #expect(!plan.isAnswer(to: Sample.offer(options: options, capabilities: unable)))
        var cold = offer
        cold.options.mode = .cold
        #expect(!Sample.plan(for: cold).canFetch)
    }

    @Test func `a plan that does not answer the offer is refused`() {
        let offer = Sample.offer()
        let good = Sample.plan(for: offer)
        let strange = Plan(
            steps: [.sendVolume("secrets", .rsync)] + good.steps,
            options: good.options,
            name: good.name,
            startsOnTarget: true,
            warnings: []
        )
        let renamed = Plan(
            steps: good.steps,
            options: good.options,
            name: Sample.name("db"),
            startsOnTarget: true,
            warnings: []
        )
        let paused = Sample.plan(for: Sample.offer(options: MoveOptions(isPaused: true)))
        let following = Plan(
            steps: [.fetchMemory] + good.steps, options: good.options, name: good.name,
            startsOnTarget: true, warnings: [])
        #expect(good.isAnswer(to: offer))
        for plan in [strange, renamed, paused, following] {
            #expect(!plan.isAnswer(to: offer))
            var acceptance = Sample.acceptance(for: offer)
            acceptance.plan = plan
            let state = reaction(to: acceptance, from: .own).state
            #expect(state == .reverting(Sample.error(.protocolViolation)))
        }
    }
}
