import ArgumentParser
import Foundation
import MigrationCore
import TestSupport

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
