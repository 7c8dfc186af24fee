import ArgumentParser
import Foundation
import MigrationCore

/// All clients at once, in one loop, until standard input ends; then one line of JSON says what
/// they saw. Started by `lab network` in the client's network namespace.
struct ClientsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "clients", shouldDisplay: false)

    @Argument(help: "IPv4.") var address: String
    @Argument(help: "IPv6.") var sixth: String
    @Argument(help: "IPv4, of the second interface.") var second: String
    @Argument var port: UInt16

    func run() throws {
        let fourth = try Peer(address: address, port: port)
        let sixth = try Peer(address: sixth, port: port)
        let second = try Peer(address: second, port: port)
        var loop = ClientLoop(
            pingers: [
                Pinger(.tcp, .stream, peer: fourth), Pinger(.udp, .datagram, peer: fourth),
                Pinger(.icmp, .echo, peer: try Peer(address: address, port: 0)),
                Pinger(.tcp6, .stream, peer: sixth), Pinger(.udp6, .datagram, peer: sixth),
                Pinger(.udpSecond, .datagram, peer: second),
            ],
            visitor: Visitor(peer: fourth))
        let seen = loop.run { FileHandle.standardError.write(Data("asking\n".utf8)) }
        print(String(decoding: try JSONEncoder().encode(seen), as: UTF8.self))
    }
}

/// What all clients saw, and when the loop itself came late.
package struct ClientsTestimony: Codable, Sendable {
    package var accounts: [ClientAccount]
    /// The loop's own pauses: a gap is not known more exactly than by them.
    package var stalls: ClientAccount

    package init(accounts: [ClientAccount], stalls: ClientAccount) {
        (self.accounts, self.stalls) = (accounts, stalls)
    }
}

/// Asks in time and hears what comes, without ever waiting for one client alone.
struct ClientLoop {
    private var pingers: [Pinger]
    private var visitor: Visitor
    private var stalls = ClientAccount(.tcp)
    private let clock = ContinuousClock()
    private let origin = ContinuousClock().now
    private let wall = Int64(Date().timeIntervalSince1970 * 1e9)
    private static let pingEvery: Int64 = 2_000_000
    private static let visitEvery: Int64 = 5_000_000

    init(pingers: [Pinger], visitor: Visitor) {
        (self.pingers, self.visitor) = (pingers, visitor)
    }

    /// Nanoseconds of the wall clock as it was at the beginning: it never jumps.
    private var now: Int64 { wall + Int64((clock.now - origin) / .nanoseconds(1)) }

    /// - Parameter begun: called when every pinger has been answered once.
    mutating func run(_ begun: () -> Void) -> ClientsTestimony {
        var (ping, visit) = (now, now)
        var hasBegun = false
        while true {
            let moment = now
            if moment >= ping {
                for index in pingers.indices { pingers[index].ask(at: moment) }
                ping = max(ping + Self.pingEvery, moment - Self.pingEvery)
            }
            if moment >= visit {
                visitor.begin(at: moment)
                visit = max(visit + Self.visitEvery, moment - Self.visitEvery)
            }
            if hear(until: min(ping, visit)) { break }
            if !hasBegun, pingers.allSatisfy({ $0.account.answered > 0 }) {
                begun()
                hasBegun = true
            }
        }
        return conclude()
    }

    /// What is under way has three seconds more.
    private mutating func conclude() -> ClientsTestimony {
        let end = now + 3_000_000_000
        while now < end, !visitor.isComplete || !pingers.allSatisfy(\.isComplete) {
            _ = hear(until: now + Self.pingEvery)
        }
        for index in pingers.indices { pingers[index].finish() }
        visitor.finish()
        return ClientsTestimony(
            accounts: pingers.map(\.account) + [visitor.account], stalls: stalls)
    }

    /// Waits until then or until something comes; true when standard input has ended.
    private mutating func hear(until end: Int64) -> Bool {
        let own = pingers.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        var wishes = [pollfd(fd: 0, events: Int16(POLLIN), revents: 0)] + own + visitor.wishes
        let rest = Int32(max(0, min(5, (end - now + 999_999) / 1_000_000)))
        // SAFETY: the array holds as many wishes as are said.
        unsafe poll(&wishes, UInt(wishes.count), rest)
        let moment = now
        stalls.answer(asked: moment, at: moment)
        for index in pingers.indices where wishes[index + 1].revents != 0 {
            pingers[index].hear(at: moment)
        }
        visitor.go(on: wishes[(own.count + 1)...], at: moment)
        return wishes[0].revents != 0
    }
}
