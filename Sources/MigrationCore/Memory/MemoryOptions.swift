/// How the memory of a running instance is to travel.
package struct MemoryOptions: Codable, Equatable, Sendable {
    /// What happens when rounds alone cannot meet the budget: the deadline is reached, or the limit
    /// of rounds, or they no longer shrink.
    package enum GivingUp: String, Codable, Sendable, CaseIterable {
        /// Freeze and let the downtime be longer.
        case freeze
        /// Move at once and fetch the rest of the memory while the instance runs on the target.
        case postcopy
        /// Leave the instance where it is. Only a deadline or the limit of rounds ends the trying.
        case abort
    }

    package enum Compression: String, Codable, Sendable, CaseIterable {
        case never, always
        /// When it is faster, by what is measured as it goes.
        case measured
    }

    /// Milliseconds that the instance may stand still.
    package let downtimeBudget: Double
    /// Rounds while the instance runs, at most.
    package let rounds: Int
    /// Seconds from the first round on.
    package let deadline: Double?
    package let atDeadline: GivingUp
    /// Whether the instance may be slowed down so that rounds shrink.
    package let throttle: Bool
    package let streams: Int
    package let compression: Compression

    package static let standard = MemoryOptions.make()

    private static func make() -> MemoryOptions {
        MemoryOptions(
            unchecked: 150, rounds: 30, deadline: nil, atDeadline: .freeze, throttle: false,
            streams: 2, compression: .measured)
    }

    private init(
        unchecked downtimeBudget: Double, rounds: Int, deadline: Double?, atDeadline: GivingUp,
        throttle: Bool, streams: Int, compression: Compression
    ) {
        self.downtimeBudget = downtimeBudget
        self.rounds = rounds
        self.deadline = deadline
        self.atDeadline = atDeadline
        self.throttle = throttle
        self.streams = streams
        self.compression = compression
    }

    /// - Throws: `badRequest` for a number that makes no sense, `limitExceeded` for one too large.
    package init(
        downtimeBudget: Double = 150, rounds: Int = 30, deadline: Double? = nil,
        atDeadline: GivingUp = .freeze, throttle: Bool = false, streams: Int = 2,
        compression: Compression = .measured
    ) throws(GodwitError) {
        guard downtimeBudget >= 0, downtimeBudget.isFinite, rounds >= 0, streams >= 1,
            deadline.map({ $0 >= 0 && $0.isFinite }) ?? true
        else {
            throw GodwitError(
                .badRequest, "budget, rounds and deadline are not negative, streams at least one")
        }
        guard rounds <= Limit.rounds else {
            throw GodwitError(
                .limitExceeded, "\(rounds) rounds are asked for, \(Limit.rounds) are possible")
        }
        guard streams <= Limit.memoryStreams else {
            throw GodwitError(
                .limitExceeded,
                "\(streams) streams are asked for, \(Limit.memoryStreams) are possible")
        }
        self.init(
            unchecked: downtimeBudget, rounds: rounds, deadline: deadline, atDeadline: atDeadline,
            throttle: throttle, streams: streams, compression: compression)
    }

    /// Words that are missing have their standard values, so that an older peer is understood.
    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let standard = Self.standard
        try self.init(
            downtimeBudget: try fields.decodeIfPresent(Double.self, forKey: .downtimeBudget)
                ?? standard.downtimeBudget,
            rounds: try fields.decodeIfPresent(Int.self, forKey: .rounds) ?? standard.rounds,
            deadline: try fields.decodeIfPresent(Double.self, forKey: .deadline),
            atDeadline: try fields.decodeIfPresent(GivingUp.self, forKey: .atDeadline)
                ?? standard.atDeadline,
            throttle: try fields.decodeIfPresent(Bool.self, forKey: .throttle)
                ?? standard.throttle,
            streams: try fields.decodeIfPresent(Int.self, forKey: .streams) ?? standard.streams,
            compression: try fields.decodeIfPresent(Compression.self, forKey: .compression)
                ?? standard.compression)
    }
}
