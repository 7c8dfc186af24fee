import Foundation
import MigrationCore
import TestSupport
import Testing

/// Whole migrations in a world that loses, doubles and reorders messages, breaks links, fails
/// steps, kills daemons between any two actions, burns hosts, and has people who change their
/// minds.
///
/// `SEED=7 swift test --filter SimulationTests` plays that one alone and prints what happens.
@Suite struct SimulationTests {
    static let seeds: UInt64 = 20_000

    @Test func `the instance is on exactly one host, whatever happens`() throws {
        if let seed = Play.chosenSeed {
            let world = Play.world(seed: seed, isTraced: true)
            say(((world.trace ?? []) + ["SEED=\(seed): \(world.violation ?? "holds")"]))
            return #expect(world.violation == nil, "SEED=\(seed) plays this again")
        }
        let base = UInt64.random(in: 0...UInt64.max - Self.seeds)
        say(["simulation: \(Self.seeds) seeds from \(base)"])
        let begin = ContinuousClock.now
        var census = Census()
        for seed in base..<base + Self.seeds {
            let world = Play.world(seed: seed)
            census.add(world)
            if let violation = world.violation {
                Issue.record("\(violation): SEED=\(seed) plays this again")
            }
        }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        say(["simulation: \(census), \(seconds) s"])
        try census.write(seconds: seconds, base: base)
        #expect(census.isBroad, "the seeds no longer reach all that can happen: \(census)")
    }

    @Test func `the same seed plays the same world`() {
        for seed in UInt64(1)...20 {
            let worlds = [1, 2].map { _ in Play.world(seed: seed, isTraced: true) }
            #expect(worlds[0].trace == worlds[1].trace)
        }
    }

    @Test(arguments: [0, 1, 5], [false, true])
    func `memory follows an instance in a kind world`(pages: Int, needsPage: Bool) {
        var scenario = Scenario()
        scenario.offer = Sample.offer(options: MoveOptions(memory: Sample.postcopy))
        scenario.pages = pages
        scenario.needsPage = needsPage
        var world = World(scenario, isTraced: true)
        world.play()
        #expect(world.violation == nil)
        #expect(world.target.copy == .running && world.target.pagesLeft == 0)
        #expect(world.source.original == .gone)
    }

    @Test func `a kind world moves the instance`() {
        var world = World(Scenario(), isTraced: true)
        world.play()
        #expect(world.violation == nil)
        #expect(world.source.original == .gone)
        #expect(world.target.copy == .running)
    }
}

/// One seed, played.
enum Play {
    static var chosenSeed: UInt64? {
        ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) }
    }

    static func world(seed: UInt64, rules: Rules = Rules(), isTraced: Bool = false) -> World {
        var random = SplitMix64(seed: seed)
        let scenario = Scenario(seed: seed, random: &random)
        var world = World(scenario, seed: random.next(), rules: rules, isTraced: isTraced)
        world.play()
        return world
    }
}

/// How the played worlds ended, so that a simulation that reaches nothing is noticed.
private struct Census: CustomStringConvertible {
    var played = 0
    var moves = 0
    var violations = 0
    var moved = 0
    var notMoved = 0
    var resolved = 0
    var burnt = 0
    /// Moves whose memory came after the instance ran, and such in which it was lost.
    var followed = 0
    var lost = 0

    mutating func add(_ world: World) {
        played += 1
        moves += world.moves
        if world.violation != nil { violations += 1 }
        if world.source.original == .gone { moved += 1 } else { notMoved += 1 }
        if world.source.resolution != nil { resolved += 1 }
        if world.source.isBurnt || world.target.isBurnt { burnt += 1 }
        if world.scenario.owed > 0 && world.target.ownsCopy { followed += 1 }
        if world.target.isLost { lost += 1 }
    }

    /// Every kind of end came at least once in a hundred worlds (a person's decision in five
    /// hundred).
    var isBroad: Bool {
        min(moved, notMoved, burnt, followed) * 100 >= played && resolved * 500 >= played
            && lost * 100 >= played
    }

    var description: String {
        "\(played) played, \(moves) moves, \(violations) violations, \(moved) moved, "
            + "\(notMoved) not moved, \(resolved) resolved, \(burnt) burnt, "
            + "\(followed) followed, \(lost) lost"
    }

    func write(seconds: Double, base: UInt64) throws {
        let folder = Repository.root.appending(path: ".results")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let result: [String: Double] = [
            "seeds": Double(played), "seconds": seconds, "violations": Double(violations),
            "moves": Double(moves), "moved": Double(moved), "not_moved": Double(notMoved),
            "resolved": Double(resolved), "burnt": Double(burnt),
            "followed": Double(followed), "lost": Double(lost),
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(result).write(to: folder.appending(path: "simulation.json"))
    }
}

/// Where this file was compiled from.
enum Repository {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
}

/// Lines for whoever watches the tests.
func say(_ lines: [String]) {
    let text = lines.joined(separator: "\n") + "\n"
    FileHandle.standardError.write(Data(text.utf8))
}
