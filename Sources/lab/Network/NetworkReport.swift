package import MigrationCore

/// One move and what each client saw of it.
package struct NetworkMove: Codable, Sendable {
    /// Whether packets that came during the pause were kept.
    package var holding: Bool
    package var source: String
    package var target: String
    package var downtimeMilliseconds: Double
    package var totalMilliseconds: Double
    /// The longest time for which the clients' own loop stood still.
    package var stallMilliseconds: Double
    /// By the client's kind.
    package var clients: [String: ClientFigures]

    enum CodingKeys: String, CodingKey {
        case holding, source, target, clients
        case downtimeMilliseconds = "downtime_ms"
        case totalMilliseconds = "total_ms"
        case stallMilliseconds = "stall_ms"
    }

    /// - Parameters:
    ///   - window: from the move's beginning to the next one's.
    package init(
        holding: Bool, source: String, target: String, downtime: Double, total: Double,
        window: Range<Timestamp>, seen: ClientsTestimony
    ) {
        (self.holding, self.source, self.target) = (holding, source, target)
        (downtimeMilliseconds, totalMilliseconds) = (downtime, total)
        let (start, end) = (window.lowerBound, window.upperBound)
        stallMilliseconds = seen.stalls.figures(from: start, to: end).gapMilliseconds
        clients = Dictionary(
            seen.accounts.map { ($0.kind.rawValue, $0.figures(from: start, to: end)) },
            uniquingKeysWith: { first, _ in first })
    }
}

/// All of one client in one run of moves.
package struct ClientTotals: Codable, Sendable {
    package var holding: Bool
    package var client: ClientKind
    package var asked: Int
    package var answered: Int
    package var lost: Int
    package var doubled: Int
    package var resets: Int
    /// Why connections ended, each reason once.
    package var reasons: [String]

    package init(_ account: ClientAccount, holding: Bool) {
        self.holding = holding
        client = account.kind
        (asked, answered) = (account.asked, account.answered)
        (lost, doubled) = (account.lost.count, account.doubled)
        resets = account.failures.count
        reasons = Set(account.failures.map(\.reason)).sorted()
    }
}

/// What `.results/network.json` holds.
package struct NetworkReport: Codable, Sendable {
    package var moves: [NetworkMove] = []
    package var totals: [ClientTotals] = []
    package var wrk: WrkFigures?

    package init() {}
}

/// The middle, the value that nine of ten do not exceed, and the largest.
package struct Spread: Equatable, Sendable {
    package let median: Double
    package let ninetieth: Double
    package let longest: Double

    /// Nil without values.
    package init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        // The nearest rank: always a value that was seen.
        func rank(_ share: Double) -> Double {
            sorted[max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1)]
        }
        (median, ninetieth, longest) = (rank(0.5), rank(0.9), sorted[sorted.count - 1])
    }
}

extension NetworkReport {
    /// A measure beyond the downtime of the same move, over all moves.
    func spread(
        _ measure: (ClientFigures) -> Double, of kind: ClientKind, holding: Bool
    ) -> Spread? {
        Spread(
            moves.filter { $0.holding == holding }.compactMap { move in
                move.clients[kind.rawValue].map { measure($0) - move.downtimeMilliseconds }
            })
    }
}
