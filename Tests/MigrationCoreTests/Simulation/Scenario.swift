import MigrationCore
import TestSupport

/// What is asked of one simulated migration, and how unkind the world is to it.
struct Scenario {
    var offer = Sample.offer()
    var startsOnTarget = true
    var isRefused = false
    var isCorrupted = false
    /// Each in a thousand moves.
    var crashes = 0
    var restarts = 200
    var breaks = 0
    var losses = 0
    var doubles = 0
    var stepFailures = 0
    var cancels = 0
    /// A host that burns down with all that is on it, and never returns.
    var fires = 0
    var persons = 0
    /// Pages that have not travelled when the instance is frozen, where they may follow it.
    var pages = 0
    /// The restore itself does not end before one of them is there.
    var needsPage = false
    /// What keeps an instance's memory on the target is killed.
    var keeperDeaths = 0
    /// Moves until something goes wrong for the first time: faults would else mostly hit the
    /// beginning.
    var firstMoves = 0
    /// Moves from then on until nothing goes wrong any more.
    var unkindMoves = 0
    /// Whether any of what could happen next happens next, or always the first.
    var isOrdered = true
}

extension Scenario {
    /// One of all that there are; by every second seed one whose memory follows the instance, and
    /// that comes so far.
    init(seed: UInt64, random: inout SplitMix64) {
        self.init(random: &random)
        guard seed.isMultiple(of: 2) else { return }
        var options = offer.options
        options.mode = .live
        options.memory = Sample.postcopy
        offer = Sample.offer(options: options)
        isRefused = false
        isCorrupted = false
        pages = random.pick([0, 1, 4, 4])
        keeperDeaths = random.pick([0, 0, 50, 200])
        cancels = 0
        firstMoves = 30 + random.below(40)
    }

    private init(random: inout SplitMix64) {
        let options = MoveOptions(
            mode: random.chance(250) ? .cold : .live,
            newName: random.chance(200) ? Sample.name("web2") : nil,
            isPaused: random.chance(150),
            memory: random.chance(200) ? Sample.postcopy : .standard
        )
        offer = Sample.offer(options: options, isDryRun: random.chance(30))
        startsOnTarget = !random.chance(100)
        isRefused = random.chance(50)
        isCorrupted = random.chance(50)
        crashes = random.pick([0, 5, 20, 60])
        restarts = random.pick([50, 200, 500])
        breaks = random.pick([0, 5, 20, 60])
        losses = random.pick([0, 0, 50, 200])
        doubles = random.pick([0, 0, 100, 300])
        stepFailures = random.pick([0, 0, 20, 150])
        cancels = random.pick([0, 0, 5, 20])
        fires = random.pick([0, 0, 0, 10])
        persons = random.pick([0, 300])
        pages = random.pick([0, 1, 4])
        needsPage = random.chance(300)
        firstMoves = random.below(90)
        unkindMoves = random.below(120)
        isOrdered = false
    }

    var plan: Plan { Sample.plan(for: offer, startsOnTarget: startsOnTarget) }

    /// Pages that follow the instance.
    var owed: Int { plan.canFetch ? pages : 0 }

    /// Whether the instance is to run when all is done and it has moved.
    var runsInTheEnd: Bool { startsOnTarget && !offer.options.isPaused }

    var receipt: Receipt {
        Receipt(name: plan.name, isRunning: runsInTheEnd, milliseconds: ["restore": 210])
    }
}
