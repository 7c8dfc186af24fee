import Foundation
import LinuxHost
import MigrationCore

/// Sends numbers and hears them again, whether or not the ones before have come back.
struct Pinger {
    private(set) var account: ClientAccount
    private let peer: Peer
    private let form: ClientSocket.Kind
    private var socket: ClientSocket?
    /// By number.
    private var asked: [Int64] = []
    private var isAnswered: [Bool] = []
    private var next = 0
    private var unread: [UInt8] = []
    private var retry: Int64 = 0

    init(_ kind: ClientKind, _ form: ClientSocket.Kind, peer: Peer) {
        account = ClientAccount(kind)
        (self.form, self.peer) = (form, peer)
    }

    var descriptor: Int32 { socket?.descriptor ?? -1 }
    var isComplete: Bool { account.answered == asked.count }

    mutating func ask(at now: Int64) {
        do {
            guard let socket = try open(at: now) else { return }
            let number = asked.count
            guard try socket.send(frame(number)) else { return }
            asked.append(now)
            isAnswered.append(false)
            account.ask()
        } catch {
            fail(error, at: now)
        }
    }

    /// A connection that broke is renewed after 100 ms: what follows is to be seen as well.
    private mutating func open(at now: Int64) throws -> ClientSocket? {
        if let socket { return socket }
        guard now >= retry else { return nil }
        let fresh = try peer.connected(form)
        (socket, next, unread) = (fresh, asked.count, [])
        return fresh
    }

    mutating func hear(at now: Int64) {
        do {
            while let bytes = try socket?.receive() { take(bytes, at: now) }
        } catch {
            fail(error, at: now)
        }
    }

    private mutating func take(_ bytes: [UInt8], at now: Int64) {
        switch form {
        case .datagram: note(eightBytes(bytes[...]), at: now)
        case .echo: note(Echo.number(in: bytes, identity: Echo.identity), at: now)
        case .stream:
            unread += bytes
            while unread.count >= 8 {
                note(eightBytes(unread.prefix(8)), at: now)
                unread.removeFirst(8)
            }
        }
    }

    private mutating func note(_ number: Int?, at now: Int64) {
        guard let number, asked.indices.contains(number) else { return }
        let isInOrder = form != .stream || number == next
        next = number + 1
        guard isInOrder, !isAnswered[number] else { return account.double() }
        isAnswered[number] = true
        account.answer(asked: asked[number], at: now)
    }

    private mutating func fail(_ error: any Error, at now: Int64) {
        account.fail((error as? GodwitError)?.message ?? "\(error)", at: now)
        guard form == .stream else { return }
        socket?.end()
        socket = nil
        retry = now + 100_000_000
    }

    /// What has not been answered until now never will be.
    mutating func finish() {
        for (number, moment) in asked.enumerated() where !isAnswered[number] {
            account.lose(asked: moment)
        }
        socket?.end()
    }

    private func frame(_ number: Int) -> [UInt8] {
        form == .echo ? Echo.request(number, identity: Echo.identity) : bytes(of: number)
    }
}

/// Eight bytes, the lowest first.
func bytes(of number: Int) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
}

/// Nil unless there are eight bytes.
func eightBytes(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard bytes.count == 8 else { return nil }
    return bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
}

/// Echo requests of ICMP, whose data is a number.
package enum Echo {
    static let identity = UInt16(truncatingIfNeeded: getpid())

    package static func request(_ number: Int, identity: UInt16) -> [UInt8] {
        var packet: [UInt8] =
            [8, 0, 0, 0] + big(identity) + big(UInt16(truncatingIfNeeded: number))
        packet += bytes(of: number)
        packet.replaceSubrange(2..<4, with: big(internetChecksum(packet)))
        return packet
    }

    /// The number in an answer with its IP header; nil for any other packet.
    package static func number(in packet: [UInt8], identity: UInt16) -> Int? {
        guard let first = packet.first else { return nil }
        let body = packet.dropFirst(Int(first & 15) * 4)
        guard body.count == 16, body.first == 0,
            Array(body.dropFirst(4).prefix(2)) == big(identity)
        else { return nil }
        return eightBytes(body.suffix(8))
    }

    private static func big(_ value: UInt16) -> [UInt8] {
        [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)]
    }
}
