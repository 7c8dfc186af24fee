import MigrationCore
import TestSupport

extension World {
    /// Rolls the dice for what goes wrong next; false if nothing does.
    mutating func somethingGoesWrong() -> Bool {
        if random.chance(scenario.crashes) {
            let isSource = random.chance(500)
            if isSource && source.isUp {
                crashSource()
                return true
            }
            if !isSource && target.isUp {
                crashTarget()
                return true
            }
        }
        if !source.isUp && !source.isBurnt && random.chance(scenario.restarts) {
            startSource()
            return true
        }
        if !target.isUp && !target.isBurnt && random.chance(scenario.restarts) {
            startTarget()
            return true
        }
        if wire.current != nil && random.chance(scenario.breaks) {
            breakLink()
            return true
        }
        if random.chance(scenario.fires) && !source.isBurnt && !target.isBurnt {
            burn(random.chance(500) ? .source : .target)
            return true
        }
        if random.chance(scenario.keeperDeaths) && target.pagesLeft > 0 && !target.isBurnt
            && !target.isOutOfReach
        {
            loseMemory(leaving: random.pick([TargetHost.Copy.none, .partial, target.copy]))
            return true
        }
        return someoneInterferes()
    }

    private mutating func someoneInterferes() -> Bool {
        if random.chance(scenario.cancels) {
            if random.chance(500) {
                source.hear(.cancelled(Sample.error()))
            } else if target.machine != nil {
                target.hear(.cancelled(Sample.error()))
            }
            return true
        }
        if random.chance(scenario.persons), let resolution = rightDecision() {
            resolve(resolution)
            return true
        }
        let mayGiveUp = target.machine?.canGiveUp == true && !target.isGivenUp
        if mayGiveUp && random.chance(scenario.persons / 10) {
            giveUp()
            return true
        }
        return false
    }

    mutating func burn(_ side: Side) {
        note("(the \(side.rawValue) burns down)")
        switch side {
        case .source:
            crashSource()
            source.isBurnt = true
        case .target:
            crashTarget()
            target.isBurnt = true
            target.copy = .none
            target.pagesLeft = 0
            target.hasVolume = false
        }
    }

    /// What a person who can look at the target's host, but not reach its daemon, may say; or one
    /// who knows from the source that the target has lost the instance.
    mutating func rightDecision() -> Resolution? {
        guard source.isUp, let machine = source.machine, machine.canResolve,
            source.resolution == nil, source.actions.isEmpty, source.inbox.isEmpty
        else { return nil }
        if machine.isLinked { return random.pick([.keepHere, .gone]) }
        guard !target.isUp else { return nil }
        // Who lets go of the original while memory is missing gives the instance up.
        if target.lacksMemory && !random.chance(100) { return nil }
        if target.ownsCopy { return .gone }
        let isAcknowledging = source.journal?.word == "ended"
        if target.isBurnt { return isAcknowledging ? .gone : .keepHere }
        // Its journal would still let it restore, or an orphan of its daemon might.
        return target.copy == .none && target.journal != .taken && target.orphan == nil
            ? .keepHere : nil
    }

    mutating func resolve(_ resolution: Resolution) {
        note("(a person says \(resolution.rawValue))")
        source.resolution = resolution
        source.remembersWord = true
        source.hear(.resolved(resolution))
    }
}
