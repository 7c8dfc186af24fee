import LinuxHost
import MigrationCore
import Testing
import lab

/// What a client keeps of what it saw, and which move it belongs to.
@Suite struct ClientAccountTests {
    private func milliseconds(_ number: Int64) -> Int64 { number * 1_000_000 }
    private func moment(_ number: Int64) -> Timestamp { Timestamp(milliseconds: number) }

    /// Answers at 0, 4, 204 and 208 ms, asked 1 ms before, but the third at 100.
    private var account: ClientAccount {
        var account = ClientAccount(.tcp)
        for (asked, answered) in [(-1, 0), (3, 4), (100, 204), (207, 208)] as [(Int64, Int64)] {
            account.ask()
            account.answer(asked: milliseconds(asked), at: milliseconds(answered))
        }
        return account
    }

    @Test func `a pause and the answer that waited longest are told`() {
        let figures = account.figures(from: moment(0), to: moment(1000))
        #expect(figures.gapMilliseconds == 200)
        #expect(figures.latencyMilliseconds == 104)
        #expect(figures.lost == 0 && figures.resets == 0)
        #expect(account.asked == 4 && account.answered == 4)
    }

    @Test func `a pause belongs to the move in which it began`() {
        #expect(account.figures(from: moment(5), to: moment(1000)).gapMilliseconds == 0)
        #expect(account.figures(from: moment(0), to: moment(5)).gapMilliseconds == 200)
        #expect(account.figures(from: moment(0), to: moment(4)).gapMilliseconds == 0)
    }

    @Test func `what is lost or broken is counted where it was asked`() {
        var account = account
        account.lose(asked: milliseconds(50))
        account.fail("Connection refused", at: milliseconds(60))
        account.fail("Connection refused", at: milliseconds(2000))
        let figures = account.figures(from: moment(0), to: moment(1000))
        #expect(figures.lost == 1 && figures.resets == 1)
        let totals = ClientTotals(account, holding: true)
        #expect(totals.resets == 2 && totals.reasons == ["Connection refused"])
    }

    @Test func `a spread is made of values that were seen`() throws {
        let spread = try #require(Spread((1...10).map(Double.init).shuffled()))
        #expect((spread.median, spread.ninetieth, spread.longest) == (5, 9, 10))
        let one = try #require(Spread([7]))
        #expect((one.median, one.ninetieth, one.longest) == (7, 7, 7))
        #expect(Spread([]) == nil)
    }

    @Test func `an echo request is answered under its own number alone`() {
        let request = Echo.request(70_000, identity: 0x1234)
        #expect(internetChecksum(request) == 0)
        var answer = [0x45] + [UInt8](repeating: 0, count: 19) + request
        #expect(Echo.number(in: answer, identity: 0x1234) == nil)
        answer[20] = 0
        #expect(Echo.number(in: answer, identity: 0x1234) == 70_000)
        #expect(Echo.number(in: answer, identity: 0x1235) == nil)
        #expect(Echo.number(in: Array(answer.dropLast()), identity: 0x1234) == nil)
        #expect(Echo.number(in: [], identity: 0x1234) == nil)
    }
}
