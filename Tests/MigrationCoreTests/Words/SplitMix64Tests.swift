import TestSupport
import Testing

@Suite struct SplitMix64Tests {
    /// The first outputs for seed 1234567, as the algorithm's reference implementation gives them.
    @Test func `numbers are those of the reference`() {
        var random = SplitMix64(seed: 1_234_567)
        let expected: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
        ]
        for number in expected { #expect(random.next() == number) }
    }

    @Test func `every number below a limit comes, and none above`() {
        var random = SplitMix64(seed: 1)
        let seen = Set((0..<1_000).map { _ in random.below(7) })
        #expect(seen == Set(0..<7))
    }
}
