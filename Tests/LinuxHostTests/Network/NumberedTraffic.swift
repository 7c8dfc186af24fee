import CLinux
import Foundation
import LinuxHost
import MigrationCore
import Synchronization

/// A client that sends numbers to a server, each in a network namespace of its own: over one TCP
/// connection, or as datagrams.
final class NumberedTraffic: Sendable {
    private let socket: Descriptor
    private let server: Descriptor
    private let state = Mutex(State())

    private struct State {
        var isEnding = false
        var sent: UInt32 = 0
        var arrived: [UInt32] = []
        var last: ContinuousClock.Instant?
        var longestGap = Duration.zero
    }

    private static let port = "4077"

    /// - Parameter isStream: TCP, or UDP with a large buffer at the server.
    init(_ scene: HoldScene, to address: String, isStream: Bool) throws {
        let family = address.contains(":") ? AF_INET6 : AF_INET
        let type = Int32(isStream ? SOCK_STREAM.rawValue : SOCK_DGRAM.rawValue)
        let listening = Descriptor(taking: godwit_socket_of(scene.instance, family, type, 0))
        socket = Descriptor(taking: godwit_socket_of(scene.client, family, type, 0))
        var size: Int32 = 64 << 20
        let length = socklen_t(MemoryLayout<Int32>.size)
        unsafe setsockopt(listening.number, SOL_SOCKET, SO_RCVBUFFORCE, &size, length)
        try unsafe Self.with(address) { unsafe bind(listening.number, $0, $1) }
        if isStream { listen(listening.number, 1) }
        try unsafe Self.with(address) { [socket] in unsafe Foundation.connect(socket.number, $0, $1)
        }
        guard isStream else {
            server = listening
            return
        }
        server = Descriptor(taking: accept(listening.number, nil, nil))
        var yes: Int32 = 1
        unsafe setsockopt(socket.number, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, length)
    }

    private static func with(
        _ address: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST
        var found: UnsafeMutablePointer<addrinfo>?
        // SAFETY: the list lives until it is freed below; each entry's address has the length told.
        guard unsafe getaddrinfo(address, port, &hints, &found) == 0, let first = unsafe found,
            let place = unsafe first.pointee.ai_addr
        else { throw GodwitError.kernel("read \(address)") }
        defer { unsafe freeaddrinfo(first) }
        let length = unsafe first.pointee.ai_addrlen
        guard unsafe body(place, length) == 0 else { throw GodwitError.kernel("use \(address)") }
    }

    var sent: Int { state.withLock { Int($0.sent) } }
    var arrived: [UInt32] { state.withLock { $0.arrived } }
    var longestGap: Duration { state.withLock { $0.longestGap } }

    func send() {
        state.withLock { state in
            let number = state.sent
            let bytes = (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
            if (try? socket.write(bytes[...])) != nil { state.sent += 1 }
        }
    }

    /// Receives, and sends a number every `pause` microseconds unless that is 0, until `end`.
    func run(pause: UInt32) {
        Thread.detachNewThread { [self] in
            while let bytes = try? server.read(upTo: 4_096), !bytes.isEmpty { arrive(bytes) }
        }
        guard pause > 0 else { return }
        Thread.detachNewThread { [self] in
            while !state.withLock({ $0.isEnding }) {
                send()
                usleep(pause)
            }
        }
    }

    func end() {
        state.withLock { $0.isEnding = true }
        shutdown(server.number, Int32(SHUT_RDWR))
    }

    /// Numbers of a stream do not straddle reads: the client writes four bytes at once, and
    /// segments are cut between writes.
    private func arrive(_ bytes: [UInt8]) {
        state.withLock { state in
            let now = ContinuousClock.now
            if let last = state.last { state.longestGap = max(state.longestGap, now - last) }
            state.last = now
            for start in stride(from: 0, to: bytes.count - 3, by: 4) {
                let four = bytes[start..<start + 4]
                state.arrived.append(four.reversed().reduce(0) { $0 << 8 | UInt32($1) })
            }
        }
    }
}
