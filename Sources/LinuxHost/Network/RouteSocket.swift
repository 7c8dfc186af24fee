import CLinux
import Foundation
import MigrationCore
import Synchronization

/// A routing socket: asks the kernel about interfaces and bridges of one network namespace.
final class RouteSocket: Sendable {
    private let socket: Descriptor
    private let sequence = Mutex<UInt32>(0)

    /// - Parameter pid: a process in that namespace, or 0 for this one.
    init(of pid: Int32) throws {
        let raw = Int32(SOCK_RAW.rawValue)
        let number = godwit_socket_of(pid, AF_NETLINK, raw, Self.routeProtocol)
        guard number >= 0 else {
            throw GodwitError.kernel("open a routing socket", code: -number)
        }
        socket = Descriptor(taking: number)
    }

    /// The interface of that name; nil if there is none.
    func link(_ name: String) throws -> Link? {
        try sequence.withLock { sequence in
            sequence += 1
            try socket.write(NetlinkMessage.link(named: name).encoded(sequence: sequence)[...])
            let answer = try socket.read(upTo: Self.answerSize)
            if let error = Self.error(in: answer) {
                guard error == ENODEV else {
                    throw GodwitError.kernel("tell of \(name)", code: error)
                }
                return nil
            }
            return Link(answer: answer)
        }
    }

    /// Sends all messages at once and waits for what the kernel says to each.
    ///
    /// - Throws: `kernelRefused` for the first that it refuses; those after it are done all the
    ///   same.
    func tell(_ messages: [NetlinkMessage], to action: String) throws {
        try sequence.withLock { sequence in
            var bytes: [UInt8] = []
            for message in messages {
                sequence += 1
                bytes += message.encoded(sequence: sequence)
            }
            try socket.write(bytes[...])
            var refusals: [Int32] = []
            for _ in messages {
                let answer = try socket.read(upTo: Self.answerSize)
                if let error = Self.error(in: answer), error != 0 { refusals.append(error) }
            }
            if let first = refusals.first { throw GodwitError.kernel(action, code: first) }
        }
    }

    private static let answerSize = 32_768
    /// NETLINK_ROUTE
    private static let routeProtocol: Int32 = 0

    /// The errno of an answer of type NLMSG_ERROR, 0 for consent; nil for another type.
    private static func error(in answer: [UInt8]) -> Int32? {
        guard let type = number32(in: answer[...], at: 4), type & 0xffff == 2,
            let code = number32(in: answer[...], at: NetlinkMessage.headerSize)
        else { return nil }
        return -Int32(bitPattern: code)
    }
}
