import MigrationCore
import Testing

@Suite struct VolumePassPolicyTests {
    /// With as many bytes a second in each pass.
    private func policy(_ seconds: Double...) -> VolumePassPolicy {
        var policy = VolumePassPolicy(first: seconds[0], bytes: seconds[0] * 1e6)
        for (earlier, later) in zip(seconds, seconds.dropFirst()) {
            policy.passed(sending: later * 1e6, in: later, over: earlier)
        }
        return policy
    }

    @Test func `passes are repeated while they become clearly shorter`() {
        #expect(policy(40).pays)
        #expect(policy(40, 10).pays)
        #expect(policy(40, 10, 2.5).pays)
        #expect(!policy(40, 10, 2.5, 0.6).pays)
        #expect(!policy(40, 35).pays)
        #expect(!policy(0.4).pays)
    }

    @Test func `between rounds of memory they take little of the time`() {
        #expect(!policy(40, 0.4).isDue(after: 1.5))
        #expect(policy(40, 0.4).isDue(after: 2.5))
        #expect(!policy(40, 5).isDue(after: 15))
        #expect(policy(40, 5).isDue(after: 21))
    }

    @Test func `there are no more than the limit`() {
        var policy = VolumePassPolicy(first: 1e6, bytes: 1e12)
        var count = 0
        while policy.pays {
            count += 1
            policy.passed(sending: 1e6, in: 1e6 / Double(1 << count), over: 1)
        }
        #expect(count == Limit.volumePasses)
        #expect(!policy.isDue(after: 1e9))
    }

    @Test func `looks that find nothing are no passes`() {
        var policy = policy(40)
        for _ in 0..<100 { policy.looked(for: 0.1) }
        #expect(policy.count == 0)
        #expect(policy.isDue(after: 2.5))
        #expect(policy.outlook(after: 2.5)?.delta == 0)
    }

    @Test func `what is left is predicted by what the last pass had to send`() throws {
        #expect(policy(40).outlook(after: 50) == nil)
        let shrinking = try #require(policy(40, 10).outlook(after: 12))
        #expect(shrinking.delta == 3_000 && shrinking.isWorthwhile && shrinking.isHeavy)
        // As long as what it follows: nothing is gained.
        let steady = try #require(policy(40, 40).outlook(after: 41))
        #expect(!steady.isWorthwhile && steady.isHeavy && steady.load == 1)
        // What is left of an almost empty pass is its cost.
        let short = try #require(policy(40, 1, 0.8).outlook(after: 0.7))
        #expect(!short.isWorthwhile && !short.isHeavy)
    }
}
