import Testing

/// The simulation is worth something only if it notices a broken rule.
@Suite struct MutationTests {
    static let seeds: ClosedRange<UInt64> = 1...400_000

    @Test(arguments: Mutant.all)
    func `a broken rule of custody is caught`(mutant: Mutant) throws {
        let caught = Self.seeds.lazy
            .map { ($0, Play.world(seed: $0, rules: mutant.rules()).violation) }
            .first { $0.1 != nil }
        let (seed, violation) = try #require(caught, "not caught: \(mutant.what)")
        say(["mutant caught with seed \(seed): \(mutant.what): \(violation ?? "")"])
    }
}
