import Foundation
import MigrationCore
import Testing
import lab

/// The goals of `lab network`, and what it prints.
@Suite struct NetworkReportTests {
    /// One move with a downtime of 100 ms during which every client waits as long as is said.
    private func report(gap: Int64, holding: Bool = true, lose: Int = 0) -> NetworkReport {
        let accounts = ClientKind.allCases.map { kind in
            var account = ClientAccount(kind)
            account.ask()
            account.answer(asked: 0, at: 1_000_000)
            account.answer(asked: 1_000_000, at: (1 + gap) * 1_000_000)
            for _ in 0..<lose { account.lose(asked: 2_000_000) }
            return account
        }
        let seen = ClientsTestimony(accounts: accounts, stalls: ClientAccount(.tcp))
        var report = NetworkReport()
        report.moves = [
            NetworkMove(
                holding: holding, source: "a", target: "b", downtime: 100, total: 700,
                window: Timestamp(milliseconds: 0)..<Timestamp(milliseconds: 1000), seen: seen)
        ]
        report.totals = accounts.map { ClientTotals($0, holding: holding) }
        return report
    }

    @Test func `a connection may stand still a little longer than the downtime`() {
        #expect(NetworkGoals.breaches(in: report(gap: 120)) == [])
        let breaches = NetworkGoals.breaches(in: report(gap: 121))
        #expect(breaches.count == 2)
        #expect(
            breaches.first
                == "move 1: TCP, one connection stood still for 121 ms, 21 more than the downtime")
    }

    @Test func `nothing may be lost by any client`() {
        let breaches = NetworkGoals.breaches(in: report(gap: 100, lose: 2))
        #expect(breaches.count == ClientKind.allCases.count)
        #expect(breaches.contains("UDP, IPv6: 2 of 1 lost"))
    }

    @Test func `where packets are dropped nothing is promised`() {
        #expect(NetworkGoals.breaches(in: report(gap: 3000, holding: false, lose: 9)) == [])
    }

    @Test func `the table shows each client with and without`() {
        var both = report(gap: 110)
        let dropped = report(gap: 900, holding: false, lose: 3)
        both.moves += dropped.moves
        both.totals += dropped.totals
        let lines = both.table.split(separator: "\n")
        #expect(lines.count == 2 + 2 * ClientKind.allCases.count + 2)
        #expect(
            lines[2]
                == "| TCP, one connection | kept | 10 | 10 | 10 | 10 | 10 | 10 | 1 | 0 | 0 | 0 |")
        #expect(lines[3].hasPrefix("|  | dropped | 800 |"))
    }

    @Test func `what wrk prints is read`() throws {
        let text = """
            Running 10s test @ http://10.77.0.10/
              1 threads and 50 connections
              Thread Stats   Avg      Stdev     Max   +/- Stdev
                Latency     4.41ms   12.24ms   1.03s    97.44%
                Req/Sec    17.10k     4.35k   22.19k    83.00%
              170153 requests in 10.01s, 40.24MB read
            Requests/sec:  16996.17
            """
        let figures = try #require(WrkFigures(text: text, connections: 50, downtimes: [100]))
        #expect(figures.requests == 170_153 && figures.errors == 0)
        #expect(figures.longestLatencyMilliseconds == 1030)
        let faults =
            "\n  Socket errors: connect 0, read 3, write 1, timeout 2"
            + "\n  Non-2xx or 3xx responses: 4"
        let bad = try #require(WrkFigures(text: text + faults, connections: 50, downtimes: []))
        #expect(bad.errors == 10)
        #expect(WrkFigures(text: "unable to connect", connections: 50, downtimes: []) == nil)
    }

    @Test func `the file has the names that are promised`() throws {
        let data = try JSONEncoder().encode(report(gap: 110))
        let text = String(decoding: data, as: UTF8.self)
        for name in ["downtime_ms", "gap_ms", "lost", "resets", "holding", "new_tcp", "stall_ms"] {
            #expect(text.contains("\"\(name)\""))
        }
    }
}
