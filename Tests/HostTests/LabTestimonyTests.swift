import MigrationCore
import TestSupport
import Testing

/// The client is its own judge; here it is judged.
@Suite struct TestimonyTests {
    private func testimony(_ replies: [Int], pauses: [Double] = []) -> Testimony {
        var testimony = Testimony()
        var (last, clock) = (0, 1000.0)
        for (index, reply) in replies.enumerated() {
            let pause = index < pauses.count ? pauses[index] : 1
            testimony.note(
                reply: reply, after: last, start: Timestamp(milliseconds: Int64(clock)),
                milliseconds: pause)
            (last, clock) = (reply, clock + pause)
        }
        return testimony
    }

    @Test(arguments: [([1, 2, 3], 0), ([1, 3], 1), ([1, 2, 2, 3], 1), ([1, 2, 1, 2], 2)])
    func `a reply that is lost, doubled or turned back is counted`(replies: [Int], lost: Int) {
        #expect(testimony(replies).repliesLost == lost)
    }

    @Test func `the blackout of a move is the longest pause within it`() {
        let seen = testimony([1, 2, 3, 4, 5], pauses: [5000, 1, 300, 1, 900])
        #expect(seen.longestGapMilliseconds == 5000)
        let (start, end) = (Timestamp(milliseconds: 5900), Timestamp(milliseconds: 6200))
        #expect(seen.blackout(from: start, to: end) == 300)
        #expect(seen.gaps.map(\.milliseconds) == [5000, 300, 900])
    }
}
