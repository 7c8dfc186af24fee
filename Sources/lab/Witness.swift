import ArgumentParser
import Foundation
import MigrationCore

/// What the client saw over one connection that it never renewed.
struct Testimony: Codable, Equatable {
    struct Gap: Codable, Equatable {
        /// When the reply before it came.
        var start: Timestamp
        var milliseconds: Double
    }

    /// Replies in order: the counter went up by one with each.
    var replies = 0
    /// Numbers that were skipped or came twice.
    var repliesLost = 0
    /// Pauses of more than 20 ms between two replies.
    var gaps: [Gap] = []
    var longestGapMilliseconds = 0.0
    var connectionAlive = false
    var error: String?

    /// Judges the next reply by the one before it.
    mutating func note(reply: Int, after last: Int, start: Timestamp, milliseconds: Double) {
        replies += 1
        repliesLost += abs(reply - last - 1)
        longestGapMilliseconds = max(longestGapMilliseconds, milliseconds)
        if milliseconds > 20 { gaps.append(Gap(start: start, milliseconds: milliseconds)) }
    }

    /// The longest pause that began between the two moments; what a client calls the blackout.
    func blackout(from start: Timestamp, to end: Timestamp) -> Double {
        gaps.filter { $0.start.milliseconds >= start.milliseconds - 1000 && $0.start <= end }
            .map(\.milliseconds).max() ?? 0
    }
}

/// Counts over one connection until its standard input ends, then says in one line of JSON what it
/// saw. Started by the demo in the client's network namespace.
struct WitnessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "witness", shouldDisplay: false)

    @Argument var address: String
    @Argument var port: UInt16

    func run() throws {
        var testimony = Testimony()
        do {
            try count(&testimony)
            testimony.connectionAlive = true
        } catch {
            testimony.error = "\(error)"
        }
        print(String(decoding: try JSONEncoder().encode(testimony), as: UTF8.self))
    }

    private func count(_ testimony: inout Testimony) throws {
        var connection = try RedisConnection(address: address, port: port)
        let clock = ContinuousClock()
        var last = try connection.number(for: ["INCR", "witness"])
        var (moment, wall) = (clock.now, now())
        FileHandle.standardError.write(Data("counting\n".utf8))
        // The pause between two questions: some 900 a second leave the machine to the others.
        while !isReadable(0, milliseconds: 1) {
            let reply = try connection.number(for: ["INCR", "witness"])
            let (next, nextWall) = (clock.now, now())
            let pause = (next - moment) / .milliseconds(1)
            testimony.note(reply: reply, after: last, start: wall, milliseconds: pause)
            (last, moment, wall) = (reply, next, nextWall)
        }
    }
}

func now() -> Timestamp {
    Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
}
